import { parseJson } from '@rivulet/protocol';
import type { RbacConfig } from '../../../config/config.js';
import type { Logger } from '../../../logging/logger.js';
import type { Clock } from '../../../structures/clock.js';
import { AuthCalls, type CredentialMemory } from '../../../transport/upgrade/auth-calls.js';
import { credentialDigest } from '../../../transport/upgrade/credential-digest.js';
import { decodeQuery, headersForAuth } from '../../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../../transport/upgrade/upgrade-request.js';
import type { Fabric } from '../../fabric/fabric.js';
import { JsonPayload } from '../../fabric/invocation.js';
import type { JwtAccess } from '../../jwt/jwt-access.js';
import type { CheckedToken } from '../../jwt/token-check.js';
import { type Grant, grantOfToken, OPEN_GRANT, readGrant } from './grant.js';

export type UpgradeDecision =
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** 401: the function refused, or its answer is not a grant. 503: it did not answer in time, or could not be called. */
  | { readonly kind: 'refused'; readonly status: 401 | 503 };

/**
 * Decides about each upgrade of a listener: first the check of the token, then the auth function, of which the listener may have one, both
 * or none. An answer that is not a readable grant refuses (spec RB §5.2).
 */
export class UpgradeAuth {
  readonly #fabric: Fabric;
  readonly #rbac: RbacConfig;
  readonly #allowedOrigins: readonly string[];
  readonly #authCalls: AuthCalls;
  readonly #logger: Logger;
  readonly #jwt: JwtAccess | undefined;

  constructor(fabric: Fabric, rbac: RbacConfig, allowedOrigins: readonly string[], clock: Clock, logger: Logger, jwt?: JwtAccess) {
    this.#jwt = jwt;
    this.#fabric = fabric;
    this.#rbac = rbac;
    this.#allowedOrigins = allowedOrigins;
    this.#authCalls = new AuthCalls({ listener: 'worker', waitMs: rbac.authTimeoutMs, clock, logger });
    this.#logger = logger;
  }

  async decide(request: UpgradeRequest): Promise<UpgradeDecision> {
    const checked = await this.#jwt?.check(request);
    if (checked?.kind === 'refused') return this.#refuse(401, checked.reason, request);
    if (checked?.kind === 'undecided') return this.#refuse(503, checked.reason, request);
    const token = checked?.token;
    const { authFunction: functionId } = this.#rbac;
    if (functionId === undefined) return { kind: 'granted', grant: token === undefined ? OPEN_GRANT : grantOfToken(token) };
    const decision = await this.#authCalls.run(request, credentialDigest(request), (memory) =>
      this.#callAuthFunction(functionId, request, token, memory),
    );
    if (decision.kind === 'answered') return decision.answer;
    return { kind: 'refused', status: decision.kind === 'refused' ? 401 : 503 };
  }

  async #callAuthFunction(
    functionId: string,
    request: UpgradeRequest,
    token: CheckedToken | undefined,
    memory: CredentialMemory,
  ): Promise<UpgradeDecision> {
    const payload = JsonPayload.ofValue({
      headers: headersForAuth(request, this.#allowedOrigins),
      query_params: decodeQuery(request.rawQuery),
      ip_address: request.remoteAddress,
      ...(token === undefined ? {} : { claims: token.claims }),
    });
    const outcome = await this.#fabric.request({ functionId, payload, deciding: true }, this.#rbac.authTimeoutMs);
    if (outcome.kind === 'timeout') return this.#refuse(503, 'timeout', request);
    if (outcome.kind === 'error') {
      // An answer of the engine in place of the function says nothing about the credential.
      if (outcome.origin === 'function') memory.failed();
      return this.#refuse(401, `function failed: ${outcome.error.code}`, request);
    }
    const reading = readGrant(outcome.text === undefined ? undefined : parseJson(outcome.text), token);
    if (reading.kind === 'grant') return { kind: 'granted', grant: reading.grant };
    memory.refused();
    return this.#refuse(401, reading.reason, request);
  }

  #refuse(status: 401 | 503, reason: string, request: UpgradeRequest): UpgradeDecision {
    const fields = { reason, function: this.#rbac.authFunction, address: request.remoteAddress };
    this.#logger.warn(status === 503 ? 'auth_undecided' : 'auth_refused', fields);
    return { kind: 'refused', status };
  }
}
