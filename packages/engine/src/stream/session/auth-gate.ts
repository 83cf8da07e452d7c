import { type CloseName, field, isJsonObject, LIMITS, parseJson } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Fabric } from '../../core/fabric/fabric.js';
import { JsonPayload } from '../../core/fabric/invocation.js';
import type { JwtAccess } from '../../core/jwt/jwt-access.js';
import type { CheckedToken } from '../../core/jwt/token-check.js';
import type { TokenGrants } from '../../core/jwt/token-grants.js';
import { readExpiry, readIdentity, refuses } from '../../core/workers/access/auth-answer.js';
import { type CallLists, readCallLists } from '../../core/workers/access/grant.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { RefusalStatus } from '../../transport/listener.js';
import { AuthCalls, type CredentialMemory } from '../../transport/upgrade/auth-calls.js';
import { credentialDigest } from '../../transport/upgrade/credential-digest.js';
import { decodeQuery, headersForAuth } from '../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';
import type { UpgradeRefuser, WhyRecords } from '../../why/why-records.js';
import type { FunctionWaits } from '../calls/function-waits.js';

/** The decision about an upgrade. A refusal has status 503 when nobody could decide; then the client should try again later. */
export type AuthDecision =
  /** `expiresAtMs`: Unix milliseconds at which the access ends; `undefined`: never. */
  | {
      readonly kind: 'allowed';
      readonly context: unknown;
      readonly expiresAtMs: number | undefined;
      /** Name of the user: the subject of the token, else that of the auth function, else `undefined`. */
      readonly identity?: string | undefined;
      /** Grants of the token; `undefined` when the listener checks no tokens by itself. */
      readonly grants?: TokenGrants | undefined;
      /** Functions that the auth function allows and forbids; `undefined` when it names none. */
      readonly calls?: CallLists | undefined;
    }
  | {
      readonly kind: 'refused';
      readonly status: RefusalStatus;
      readonly close: CloseName;
      readonly reason: string;
      readonly by: UpgradeRefuser;
      /** Name of the user, if the auth function named one. */
      readonly identity?: string | undefined;
    };

type Allowed = Extract<AuthDecision, { kind: 'allowed' }>;
type Refused = Extract<AuthDecision, { kind: 'refused' }>;

/** The reason of a decision that no worker could make. */
export const NOT_REGISTERED = 'function_not_registered';

/** The decision without an auth function, and when the configuration fails open. */
const OPEN: Allowed = { kind: 'allowed', context: null, expiresAtMs: undefined };

/** A request for which an auth function decides. */
interface Question {
  readonly request: UpgradeRequest;
  readonly functionId: string;
  /** The token of the request, if the listener checks tokens by itself. It is right. */
  readonly token: CheckedToken | undefined;
  /** The decision if the function has nothing to add. */
  readonly base: Allowed;
}

/**
 * Decides about each upgrade: first the check of the token, then the auth function, of which the configuration may have one, both or none.
 * All must allow. Only an explicit allow of the function lets a client in (spec ST §2.3).
 */
export class AuthGate {
  readonly #fabric: Fabric;
  readonly #config: StreamConfig;
  readonly #logger: Logger;
  readonly #authCalls: AuthCalls;
  readonly #clock: Clock;
  readonly #jwt: JwtAccess | undefined;
  readonly #waits: FunctionWaits | undefined;
  readonly #why: Pick<WhyRecords, 'upgradeRefused'> | undefined;

  /** `waits`: absent where nothing waits for a worker. `why` records refusals; absent where nobody can ask for them. */
  constructor(
    fabric: Fabric,
    config: StreamConfig,
    clock: Clock,
    logger: Logger,
    jwt?: JwtAccess,
    waits?: FunctionWaits,
    why?: Pick<WhyRecords, 'upgradeRefused'>,
  ) {
    this.#fabric = fabric;
    this.#waits = waits;
    this.#why = why;
    this.#config = config;
    this.#jwt = jwt;
    this.#logger = logger;
    this.#authCalls = new AuthCalls({ listener: 'stream', waitMs: config.authTimeoutMs, clock, logger });
    this.#clock = clock;
  }

  /** Whether a decision can depend on a token, so that a client may send another one later. */
  get authenticates(): boolean {
    return this.#jwt !== undefined || this.#config.authFunction !== undefined;
  }

  /**
   * Decides about a request. Credentials that the auth function refused lately are refused without a call. `refreshed`: the token that a
   * connected client sent in place of the one in its request.
   */
  async decide(request: UpgradeRequest, refreshed?: string): Promise<AuthDecision> {
    const decision = await this.#decide(request, refreshed);
    if (decision.kind === 'refused') {
      const { identity, by, reason } = decision;
      this.#why?.upgradeRefused({ identity, address: request.remoteAddress, by, reason });
    }
    return decision;
  }

  async #decide(request: UpgradeRequest, refreshed: string | undefined): Promise<AuthDecision> {
    if (!this.#originAllowed(request)) return this.#refuse('origin', 'origin', request, 403);
    const checked = await this.#jwt?.check(request, refreshed);
    if (checked?.kind === 'refused') return { ...this.#refuse(checked.reason, 'token', request), identity: checked.identity };
    if (checked?.kind === 'undecided') return this.#undecided(checked.reason, request, 'token');
    const token = checked?.token;
    const base = token === undefined ? OPEN : allowedBy(token);
    const functionId = this.#config.authFunction;
    if (functionId === undefined) return base;
    const question = { request, functionId, token, base };
    if (this.#config.authFailOpen && !this.#fabric.hasFunction(functionId)) return this.#unanswered(NOT_REGISTERED, question);
    const result = await this.#authCalls.run(request, credentialDigest(request), (memory) => this.#ask(question, memory));
    if (result.kind === 'answered') return result.answer;
    return result.kind === 'busy' ? undecided('busy') : refused('refused lately', 'auth_function');
  }

  async #ask(question: Question, memory: CredentialMemory): Promise<AuthDecision> {
    const { request, functionId, token } = question;
    if (!(await this.#isServed(functionId, request))) return this.#unanswered(NOT_REGISTERED, question);
    const payload = JsonPayload.ofText(authInput(request, this.#config.allowedOrigins, token));
    const outcome = await this.#fabric.request({ functionId, payload, deciding: true }, this.#config.authTimeoutMs);
    switch (outcome.kind) {
      case 'timeout':
        return this.#undecided('timeout', request);
      case 'error':
        if (outcome.error.code === 'function_not_found') return this.#unanswered(NOT_REGISTERED, question);
        if (outcome.origin === 'function' && !this.#config.authFailOpen) memory.failed();
        return this.#failed(`function failed: ${outcome.error.code}`, question);
      case 'result':
        return this.#read(outcome.text, question, memory);
      default:
        return outcome satisfies never;
    }
  }

  /**
   * Resolves with whether a worker serves the auth function. After a restart of the engine, clients often reconnect before the workers, so
   * this waits for the worker.
   */
  async #isServed(functionId: string, { whenGone }: UpgradeRequest): Promise<boolean> {
    const isServed = () => this.#fabric.hasFunction(functionId);
    const waits = this.#waits;
    if (isServed() || waits === undefined) return isServed();
    await new Promise<void>((resolve) => {
      let stop: (() => void) | undefined;
      const end = () => {
        wait.cancel();
        stop?.();
        resolve();
      };
      const wait = waits.wait(isServed, end, this.#config.authTimeoutMs);
      stop = whenGone?.(end);
    });
    return isServed();
  }

  #read(text: string | undefined, question: Question, memory: CredentialMemory): AuthDecision {
    const { request, base } = question;
    const result: unknown = text === undefined ? undefined : parseJson(text);
    if (!isJsonObject(result)) return this.#unreadable('result is not an object', question, memory);
    const named = readIdentity(result);
    const identity = base.identity ?? (named === 'malformed' ? undefined : named.identity);
    if (refuses(result)) return { ...this.#denied('unauthorized', request, memory), identity };
    const context = field(result, 'context') ?? base.context;
    if (named === 'malformed') return this.#malformed(`identity is not a string of at most ${LIMITS.identityBytes} bytes`, request, memory);
    const expiry = readExpiry(result);
    if (expiry === 'malformed') return this.#malformed('expires_at_ms is not an integer', request, memory);
    const calls = this.#config.exposeFunctions === undefined ? undefined : readCallLists(result);
    if (calls === 'malformed')
      return this.#malformed('allowed_functions, forbidden_functions or namespaces has the wrong type', request, memory);
    const expiresAtMs = earlier(base.expiresAtMs, expiry.expiresAtMs);
    if (expiresAtMs !== undefined && expiresAtMs <= this.#clock.now()) return { ...this.#denied('expired', request, memory), identity };
    const allowed: Allowed = { ...base, context, identity, expiresAtMs };
    return calls === undefined ? allowed : { ...allowed, calls };
  }

  /** Refuses a request that the function did not decide. Allows it when the configuration fails open. */
  #failed(reason: string, { request, base }: Question): AuthDecision {
    if (!this.#config.authFailOpen) return this.#refuse(reason, 'auth_function', request);
    this.#logger.warn('auth_failed_open', { reason, function: this.#config.authFunction, address: request.remoteAddress });
    return base;
  }

  #unanswered(reason: string, question: Question): AuthDecision {
    return this.#config.authFailOpen ? this.#failed(reason, question) : this.#undecided(reason, question.request);
  }

  #undecided(reason: string, request: UpgradeRequest, by: UpgradeRefuser = 'auth_function'): AuthDecision {
    this.#logger.warn('auth_undecided', { reason, function: this.#config.authFunction, address: request.remoteAddress });
    return undecided(reason, by);
  }

  #unreadable(reason: string, question: Question, memory: CredentialMemory): AuthDecision {
    if (!this.#config.authFailOpen) memory.failed();
    return this.#failed(reason, question);
  }

  /** Refuses a request whose answer has a member of the wrong shape, also when the configuration fails open: the function did decide. */
  #malformed(reason: string, request: UpgradeRequest, memory: CredentialMemory): AuthDecision {
    memory.failed();
    return this.#refuse(reason, 'auth_function', request);
  }

  #denied(reason: string, request: UpgradeRequest, memory: CredentialMemory): Refused {
    memory.refused();
    return this.#refuse(reason, 'auth_function', request);
  }

  #refuse(reason: string, by: UpgradeRefuser, request: UpgradeRequest, status: RefusalStatus = 401): Refused {
    this.#logger.warn('auth_refused', { reason, function: this.#config.authFunction, address: request.remoteAddress });
    return { ...refused(reason, by), status };
  }

  #originAllowed(request: UpgradeRequest): boolean {
    const { origin } = request.headers;
    return this.#config.allowedOrigins.length === 0 || origin === undefined || this.#config.allowedOrigins.includes(origin);
  }
}

function refused(reason: string, by: UpgradeRefuser): Refused {
  return { kind: 'refused', status: 401, close: 'refused', reason, by };
}

function undecided(reason: string, by: UpgradeRefuser = 'auth_function'): AuthDecision {
  return { kind: 'refused', status: 503, close: 'tryLater', reason, by };
}

function allowedBy({ identity, claims, expiresAtMs, grants }: CheckedToken): Allowed {
  return { kind: 'allowed', context: claims, identity, expiresAtMs, grants };
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function authInput(request: UpgradeRequest, allowedOrigins: readonly string[], token: CheckedToken | undefined): string {
  return JSON.stringify({
    headers: headersForAuth(request, allowedOrigins),
    path: request.path,
    query_params: decodeQuery(request.rawQuery),
    addr: formatAddress(request.remoteAddress, request.remotePort),
    ...(token === undefined ? {} : { claims: token.claims }),
  });
}

function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
