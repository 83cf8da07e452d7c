import { type CloseName, field, isJsonObject, LIMITS, parseJson } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Fabric } from '../../core/fabric/fabric.js';
import { JsonPayload } from '../../core/fabric/invocation.js';
import { readExpiry, readIdentity, refuses } from '../../core/workers/access/auth-answer.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { RefusalStatus } from '../../transport/listener.js';
import { AuthCalls, type CredentialMemory } from '../../transport/upgrade/auth-calls.js';
import { credentialDigest } from '../../transport/upgrade/credential-digest.js';
import { decodeQuery, headersForAuth } from '../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';

/** The decision about an upgrade. A refusal has status 503 when nobody could decide; then the client should try again later. */
export type AuthDecision =
  /** `expiresAtMs`: Unix milliseconds at which the access ends; `undefined`: never. */
  | {
      readonly kind: 'allowed';
      readonly context: unknown;
      readonly expiresAtMs: number | undefined;
      /** Name of the user; `undefined` when the auth function gives none. */
      readonly identity?: string | undefined;
    }
  | { readonly kind: 'refused'; readonly status: RefusalStatus; readonly close: CloseName; readonly reason: string };

/** The decision without an auth function, and when the configuration fails open. */
const OPEN: AuthDecision = { kind: 'allowed', context: null, expiresAtMs: undefined };

/** Calls the configured auth function once for each upgrade. Only an explicit allow lets a client in (spec ST §2.3). */
export class AuthGate {
  readonly #fabric: Fabric;
  readonly #config: StreamConfig;
  readonly #logger: Logger;
  readonly #authCalls: AuthCalls;
  readonly #clock: Clock;

  constructor(fabric: Fabric, config: StreamConfig, clock: Clock, logger: Logger) {
    this.#fabric = fabric;
    this.#config = config;
    this.#logger = logger;
    this.#authCalls = new AuthCalls({ listener: 'stream', waitMs: config.authTimeoutMs, clock, logger });
    this.#clock = clock;
  }

  /** Whether the decision depends on credentials. Otherwise everyone is allowed whose origin is. */
  get authenticates(): boolean {
    return this.#config.authFunction !== undefined;
  }

  /** Decides about an upgrade. Credentials that were refused lately are refused without a call. */
  async decide(request: UpgradeRequest): Promise<AuthDecision> {
    if (!this.#originAllowed(request)) return this.#refuse('origin', 403, request);
    const functionId = this.#config.authFunction;
    if (functionId === undefined) return OPEN;
    if (!this.#fabric.hasFunction(functionId)) return this.#unanswered('function_not_registered', functionId, request);
    const result = await this.#authCalls.run(request, credentialDigest(request), (memory) => this.#ask(functionId, request, memory));
    if (result.kind === 'answered') return result.answer;
    return result.kind === 'busy' ? undecided('busy') : { kind: 'refused', status: 401, close: 'refused', reason: 'refused lately' };
  }

  async #ask(functionId: string, request: UpgradeRequest, memory: CredentialMemory): Promise<AuthDecision> {
    const payload = JsonPayload.ofText(authInput(request, this.#config.allowedOrigins));
    const outcome = await this.#fabric.request({ functionId, payload, deciding: true }, this.#config.authTimeoutMs);
    switch (outcome.kind) {
      case 'timeout':
        this.#logger.warn('auth_undecided', { reason: 'timeout', function: functionId, address: request.remoteAddress });
        return undecided('timeout');
      case 'error':
        if (outcome.error.code === 'function_not_found') return this.#unanswered('function_not_registered', functionId, request);
        if (outcome.origin === 'function' && !this.#config.authFailOpen) memory.failed();
        return this.#failed(`function failed: ${outcome.error.code}`, request);
      case 'result':
        return this.#read(outcome.text, request, memory);
      default:
        return outcome satisfies never;
    }
  }

  #read(text: string | undefined, request: UpgradeRequest, memory: CredentialMemory): AuthDecision {
    const result: unknown = text === undefined ? undefined : parseJson(text);
    if (!isJsonObject(result)) return this.#unreadable('result is not an object', request, memory);
    if (refuses(result)) return this.#denied('unauthorized', request, memory);
    const context = field(result, 'context') ?? null;
    const named = readIdentity(result);
    if (named === 'malformed') return this.#malformed(`identity is not a string of at most ${LIMITS.identityBytes} bytes`, request, memory);
    const expiry = readExpiry(result);
    if (expiry === 'malformed') return this.#malformed('expires_at_ms is not an integer', request, memory);
    if (expiry.expiresAtMs !== undefined && expiry.expiresAtMs <= this.#clock.now()) return this.#denied('expired', request, memory);
    return { kind: 'allowed', context, ...named, ...expiry };
  }

  /** Refuses a request that the function did not decide. Allows it when the configuration fails open. */
  #failed(reason: string, request: UpgradeRequest): AuthDecision {
    if (!this.#config.authFailOpen) return this.#refuse(reason, 401, request);
    this.#logger.warn('auth_failed_open', { reason, function: this.#config.authFunction, address: request.remoteAddress });
    return OPEN;
  }

  #unanswered(reason: string, functionId: string, request: UpgradeRequest): AuthDecision {
    if (this.#config.authFailOpen) return this.#failed(reason, request);
    this.#logger.warn('auth_undecided', { reason, function: functionId, address: request.remoteAddress });
    return undecided(reason);
  }

  #unreadable(reason: string, request: UpgradeRequest, memory: CredentialMemory): AuthDecision {
    if (!this.#config.authFailOpen) memory.failed();
    return this.#failed(reason, request);
  }

  /** Refuses a request whose answer has a member of the wrong shape, also when the configuration fails open: the function did decide. */
  #malformed(reason: string, request: UpgradeRequest, memory: CredentialMemory): AuthDecision {
    memory.failed();
    return this.#refuse(reason, 401, request);
  }

  #denied(reason: string, request: UpgradeRequest, memory: CredentialMemory): AuthDecision {
    memory.refused();
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
