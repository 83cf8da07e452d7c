import type { RbacConfig } from '../../../config/config.js';
import type { Logger } from '../../../logging/logger.js';
import type { Clock } from '../../../structures/clock.js';
import type { UpgradeRequest } from '../../../transport/upgrade/upgrade-request.js';
import type { FunctionFabric } from '../../fabric/function-fabric.js';
import { JwtAccess } from '../../jwt/jwt-access.js';
import type { SessionDirectory } from '../../revocation/session-directory.js';
import { Exposure } from './exposure.js';
import type { Grant } from './grant.js';
import type { GuestContext } from './guest-registrations.js';
import { RegistrationHooks } from './registration-hooks.js';
import { SessionPermissions } from './session-permissions.js';
import { UpgradeAuth } from './upgrade-auth.js';

export interface ListenerAccessOptions {
  readonly rbac: RbacConfig;
  readonly allowedOrigins: readonly string[];
  readonly fabric: FunctionFabric;
  readonly guards: ReadonlySet<string>;
  /** Address of the listener in the configuration, for the log. */
  readonly listener: string;
  readonly sessions: SessionDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The result of an upgrade that lets a guest in: its permissions and the listener's rules. */
export type GuestAdmission = Pick<GuestContext, 'access' | 'hooks' | 'guards' | 'onOpenTrigger' | 'listenerTypes'>;

export type Entry =
  /** `revoked` says whether the identity was disconnected while the auth function decided. It is valid in the turn of the decision. */
  | { readonly kind: 'granted'; readonly admission: GuestAdmission; readonly revoked: () => boolean }
  | { readonly kind: 'refused'; readonly status: 401 | 503 };

/** The rules of one listener. It decides about each upgrade and gives a guest its permissions. */
export class ListenerAccess {
  /** True: a refused upgrade completes, gets an error frame and closes. False: it gets an HTTP status. */
  readonly errorFrame: boolean;
  /** The check of tokens; `undefined` when the listener has none. */
  readonly jwt: JwtAccess | undefined;
  readonly #auth: UpgradeAuth;
  readonly #exposure: Exposure;
  readonly #hooks: RegistrationHooks;
  readonly #options: ListenerAccessOptions;
  readonly #listenerTypes: ReadonlySet<string> | undefined;
  #reportedOpenTrigger = false;

  constructor(options: ListenerAccessOptions) {
    const { fabric, rbac, allowedOrigins, clock, logger } = options;
    this.errorFrame = rbac.authErrorFrame;
    this.#listenerTypes = rbac.allowedTriggerTypes === undefined ? undefined : new Set(rbac.allowedTriggerTypes);
    this.#options = options;
    if (rbac.jwt !== undefined) this.jwt = new JwtAccess(rbac.jwt, clock, logger);
    this.#auth = new UpgradeAuth(fabric, rbac, allowedOrigins, clock, logger, this.jwt);
    this.#exposure = new Exposure(rbac.exposeFunctions);
    this.#hooks = new RegistrationHooks(fabric, rbac);
  }

  async decide(request: UpgradeRequest): Promise<Entry> {
    const { fabric, guards, sessions, clock, logger } = this.#options;
    const { answer: decision, revoked } = await sessions.ask(() => this.#auth.decide(request));
    if (decision.kind === 'refused') return decision;
    const { identity, expiresAtMs } = decision.grant;
    const expired = expiresAtMs !== undefined && expiresAtMs <= clock.now();
    if (expired || revoked(identity)) {
      logger.warn('auth_refused', {
        reason: expired ? 'expired' : 'revoked',
        function: this.#options.rbac.authFunction,
        address: request.remoteAddress,
      });
      return { kind: 'refused', status: 401 };
    }
    return {
      kind: 'granted',
      revoked: () => revoked(identity),
      admission: {
        access: new SessionPermissions(this.#narrowed(decision.grant), this.#exposure, fabric.functions),
        hooks: this.#hooks,
        guards,
        listenerTypes: this.#listenerTypes,
        onOpenTrigger: (type) => this.#reportOpenTrigger(type),
      },
    };
  }

  /** Returns a grant without the trigger types that the listener's own list leaves out. */
  #narrowed(grant: Grant): Grant {
    const { allowedTriggerTypes: most } = this.#options.rbac;
    if (most === undefined) return grant;
    const { allowedTriggerTypes } = grant;
    const types = allowedTriggerTypes === undefined ? most : most.filter((type) => allowedTriggerTypes.has(type));
    return { ...grant, allowedTriggerTypes: new Set(types) };
  }

  /** Warns once for each listener, because guests can see the data of others through such a trigger. */
  #reportOpenTrigger(type: string): void {
    if (this.#reportedOpenTrigger) return;
    this.#reportedOpenTrigger = true;
    const { listener, logger } = this.#options;
    logger.warn('guest_trigger_open', {
      listener,
      type,
      reason: 'no rule names the trigger types of guests, so guests may bind stream, state, subscribe and http triggers',
      remedy: 'set rbac.allowed_trigger_types for the listener, or return allowed_trigger_types from the auth function',
    });
  }
}

/** Returns the functions that decide who gets in to the listeners with these rules. */
export function guardsOf(rules: readonly RbacConfig[]): string[] {
  const ids = rules.flatMap((rbac) => [
    rbac.authFunction,
    rbac.onFunctionRegistration,
    rbac.onTriggerRegistration,
    rbac.onTriggerTypeRegistration,
  ]);
  return ids.filter((id) => id !== undefined);
}
