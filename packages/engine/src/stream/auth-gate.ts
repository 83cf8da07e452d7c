import { type CloseName, field, isJsonObject, parseJson } from '@rivulet/protocol';
import type { StreamConfig } from '../config/config.js';
import { AuthThrottle } from '../core/access/auth-throttle.js';
import { credentialDigest } from '../core/access/credential-digest.js';
import { decodeQuery, headersForAuth } from '../core/access/upgrade-input.js';
import type { Fabric } from '../core/fabric.js';
import { JsonPayload } from '../core/invocation.js';
import { IDENTITY_BYTES, readExpiry, readIdentity, refuses } from '../core/workers/access/auth-answer.js';
import type { Logger } from '../logging/logger.js';
import type { Clock } from '../structures/clock.js';
import type { RefusalStatus, UpgradeRequest } from '../transport/listener.js';

/** What the gate decided about an upgrade. `refused`: the answer was no; `undecided`: nobody could answer, try again later. */
export type AuthDecision =
  /** `expiresAtMs`: Unix milliseconds at which it ends; `undefined`: never. */
  | {
      readonly kind: 'allowed';
      readonly context: unknown;
      readonly expiresAtMs: number | undefined;
      /** Name of the user; `undefined` when the auth function gives none. */
      readonly identity?: string | undefined;
    }
  | { readonly kind: 'refused'; readonly status: RefusalStatus; readonly close: CloseName; readonly reason: string };

/** Nobody was asked, or what was said doesn't matter. */
const OPEN: AuthDecision = { kind: 'allowed', context: null, expiresAtMs: undefined };

/** Asks the configured auth function once per upgrade. Whatever is not an explicit allow lets nobody in (spec ST §2.3). */
export class AuthGate {
  readonly #fabric: Fabric;
  readonly #config: StreamConfig;
  readonly #logger: Logger;
  readonly #throttle: AuthThrottle;
  readonly #clock: Clock;

  constructor(fabric: Fabric, config: StreamConfig, clock: Clock, logger: Logger) {
    this.#fabric = fabric;
    this.#config = config;
    this.#logger = logger;
    this.#throttle = new AuthThrottle(clock, logger);
    this.#clock = clock;
  }

  async decide(request: UpgradeRequest): Promise<AuthDecision> {
    if (!this.#originAllowed(request)) return this.#refuse('origin', 403, request);
    const functionId = this.#config.authFunction;
    if (functionId === undefined) return OPEN;
    if (this.#throttle.blocks(request.remoteAddress, credentialDigest(request))) return undecided('throttled');
    if (!this.#fabric.hasFunction(functionId)) return this.#unanswered('function_not_registered', functionId, request);
    const payload = JsonPayload.ofText(authInput(request, this.#config.allowedOrigins));
    const outcome = await this.#fabric.request({ functionId, payload, deciding: true }, this.#config.authTimeoutMs);
    switch (outcome.kind) {
      case 'timeout':
        this.#logger.warn('auth_undecided', { reason: 'timeout', function: functionId, address: request.remoteAddress });
        return undecided('timeout');
      case 'error':
        if (outcome.error.code === 'function_not_found') return this.#unanswered('function_not_registered', functionId, request);
        return this.#failed(`function failed: ${outcome.error.code}`, request, outcome.origin === 'function');
      case 'result':
        return this.#read(outcome.text, request);
      default:
        return outcome satisfies never;
    }
  }

  #read(text: string | undefined, request: UpgradeRequest): AuthDecision {
    const result: unknown = text === undefined ? undefined : parseJson(text);
    if (!isJsonObject(result)) return this.#failed('result is not an object', request);
    if (refuses(result)) return this.#refuseCounted('unauthorized', request);
    const context = field(result, 'context') ?? null;
    const named = readIdentity(result);
    if (named === 'malformed') return this.#failed(`identity is not a string of at most ${IDENTITY_BYTES} bytes`, request);
    const expiry = readExpiry(result);
    if (expiry === 'malformed') return this.#failed('expires_at_ms is not an integer', request);
    if (expiry.expiresAtMs !== undefined && expiry.expiresAtMs <= this.#clock.now()) return this.#refuseCounted('expired', request);
    return { kind: 'allowed', context, ...named, ...expiry };
  }

  /** The function is there but did not answer as it should, or could not be asked: refused, unless configured to fail open. */
  #failed(reason: string, request: UpgradeRequest, answered = true): AuthDecision {
    if (this.#config.authFailOpen) {
      this.#logger.warn('auth_failed_open', { reason, function: this.#config.authFunction, address: request.remoteAddress });
      return OPEN;
    }
    return answered ? this.#refuseCounted(reason, request) : this.#refuse(reason, 401, request);
  }

  #unanswered(reason: string, functionId: string, request: UpgradeRequest): AuthDecision {
    if (this.#config.authFailOpen) return this.#failed(reason, request);
    this.#logger.warn('auth_undecided', { reason, function: functionId, address: request.remoteAddress });
    return undecided(reason);
  }

  /** The function said no, or nothing that could be read as yes. Asked again with the same it would say the same. */
  #refuseCounted(reason: string, request: UpgradeRequest): AuthDecision {
    this.#throttle.refused(request.remoteAddress, credentialDigest(request));
    return this.#refuse(reason, 401, request);
  }

  #refuse(reason: string, status: RefusalStatus, request: UpgradeRequest): AuthDecision {
    this.#logger.warn('auth_refused', { reason, function: this.#config.authFunction, address: request.remoteAddress });
    return { kind: 'refused', status, close: 'refused', reason };
  }

  #originAllowed(request: UpgradeRequest): boolean {
    const { origin } = request.headers;
    return this.#config.allowedOrigins.length === 0 || origin === undefined || this.#config.allowedOrigins.includes(origin);
  }
}

function undecided(reason: string): AuthDecision {
  return { kind: 'refused', status: 503, close: 'tryLater', reason };
}

function authInput(request: UpgradeRequest, allowedOrigins: readonly string[]): string {
  return JSON.stringify({
    headers: headersForAuth(request, allowedOrigins),
    path: request.path,
    query_params: decodeQuery(request.rawQuery),
    addr: formatAddress(request.remoteAddress, request.remotePort),
  });
}

function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
