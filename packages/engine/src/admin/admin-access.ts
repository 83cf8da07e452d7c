import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ErrorCode } from '@rivulet/protocol';
import type { AdminConfig } from '../config/config.js';
import { isLoopback } from '../structures/ip-address.js';
import { isHostNamed } from '../transport/upgrade/host-check.js';

/** Permissions of a request. `none` may read only what reveals nothing. */
export type AdminRole = 'none' | 'viewer' | 'full';

/**
 * Permissions that a path needs. `probe`: none, from any `Host`. `page`: none. `scrape`: as `viewer`, or none where `/metrics` is open.
 */
export type Need = 'probe' | 'page' | 'scrape' | 'viewer' | 'full';

export type AccessVerdict =
  | { readonly kind: 'allowed'; readonly role: AdminRole }
  | { readonly kind: 'refused'; readonly status: 401 | 403; readonly code: ErrorCode; readonly message: string };

export type AccessRequest = Pick<IncomingMessage, 'headers' | 'rawHeaders'>;

/**
 * Decides what a request to the admin listener may do. Four checks come one after another:
 *
 * 1. `Origin` and `Sec-Fetch-Site`: pages of other sites may not even read.
 * 2. `Host`: a loopback name, an IP address, or a name in `allowed_hosts`. So a page whose name was rebound to this address gets nothing.
 * 3. The token. Without any token in the configuration the listener is on loopback, and everyone on the machine may do everything. But a
 *    request that a proxy has forwarded may come from anywhere, and gets nothing then.
 * 4. The permissions that the path needs.
 */
export class AdminAccess {
  readonly #config: AdminConfig;
  readonly #digests: readonly { readonly digest: Buffer; readonly role: AdminRole }[];
  readonly #isLoopback: boolean;

  constructor(config: AdminConfig) {
    this.#config = config;
    const { token, viewerToken } = config;
    this.#digests = [
      ...(token === undefined ? [] : [{ digest: digestOf(token), role: 'full' as const }]),
      ...(viewerToken === undefined ? [] : [{ digest: digestOf(viewerToken), role: 'viewer' as const }]),
    ];
    this.#isLoopback = isLoopback(config.host);
  }

  decide(request: AccessRequest, need: Need): AccessVerdict {
    if (isForeign(request)) return refused(403, 'ORIGIN_NOT_ALLOWED', 'pages of other sites may not use the admin listener');
    const isHost = isHostNamed(request, this.#config.allowedHosts);
    if (need === 'probe') return { kind: 'allowed', role: isHost ? this.#probeRole(request) : 'none' };
    if (!isHost) return refused(403, 'HOST_NOT_ALLOWED', 'this Host is not in allowed_hosts of rivulet-admin');
    if (need === 'page') return { kind: 'allowed', role: 'none' };
    const role = this.#roleOf(request);
    if (need === 'scrape' && (this.#isLocal(request) || this.#config.metricsOpen)) return { kind: 'allowed', role };
    if (role === 'none' && this.#digests.length === 0)
      return refused(403, 'FORBIDDEN', 'a proxy has forwarded this request; set token or viewer_token of rivulet-admin');
    if (role === 'none') return refused(401, 'UNAUTHORIZED', 'send the token of rivulet-admin as Authorization: Bearer TOKEN');
    if (need === 'full' && role !== 'full') return refused(403, 'FORBIDDEN', 'viewer_token may only read; this needs token');
    return { kind: 'allowed', role };
  }

  /** On loopback everyone may see why an engine is not ready. */
  #probeRole(request: AccessRequest): AdminRole {
    return this.#isLocal(request) ? 'viewer' : this.#roleOf(request);
  }

  #isLocal(request: AccessRequest): boolean {
    return this.#isLoopback && !isForwarded(request);
  }

  #roleOf(request: AccessRequest): AdminRole {
    const { headers } = request;
    if (this.#digests.length === 0) return isForwarded(request) ? 'none' : 'full';
    const token = /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? '')?.[1];
    if (token === undefined) return 'none';
    const given = digestOf(token);
    let role: AdminRole = 'none';
    // Each comparison takes the same time, whatever the token.
    for (const each of this.#digests) if (timingSafeEqual(given, each.digest)) role = each.role;
    return role;
  }
}

/** Returns whether the request has a header that proxies add. Its client may then be on another machine. */
function isForwarded({ headers }: AccessRequest): boolean {
  return Object.keys(headers).some(
    (name) => name === 'forwarded' || name === 'via' || name === 'x-real-ip' || name.startsWith('x-forwarded'),
  );
}

/** Returns whether a page of another site sent the request. Only browsers send these headers. */
function isForeign({ headers }: AccessRequest): boolean {
  if (headers['sec-fetch-site'] === 'cross-site') return true;
  const { origin, host = '' } = headers;
  if (origin === undefined) return false;
  const own = host.toLowerCase();
  return own === '' || (origin !== `http://${own}` && origin !== `https://${own}`);
}

function refused(status: 401 | 403, code: ErrorCode, message: string): AccessVerdict {
  return { kind: 'refused', status, code, message };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
