import type { RbacConfig } from '../../config/config.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { UpgradeRequest } from '../../transport/listener.js';
import type { FunctionFabric } from '../function-fabric.js';
import { Exposure } from './exposure.js';
import type { GateParts } from './gated-registrations.js';
import { RegistrationHooks } from './registration-hooks.js';
import { SessionAccess } from './session-access.js';
import { UpgradeAuth } from './upgrade-auth.js';

export interface ListenerAccessOptions {
  readonly rbac: RbacConfig;
  readonly allowedOrigins: readonly string[];
  readonly fabric: FunctionFabric;
  readonly guards: ReadonlySet<string>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type Entry =
  | { readonly kind: 'granted'; readonly rights: Pick<GateParts, 'access' | 'hooks' | 'guards'> }
  | { readonly kind: 'refused'; readonly status: 401 | 503 };

/** The rules of one listener: who may open a session, and with which rights. */
export class ListenerAccess {
  /** How a refused upgrade is answered: with a frame that says so, or with a status. */
  readonly errorFrame: boolean;
  readonly #auth: UpgradeAuth;
  readonly #exposure: Exposure;
  readonly #hooks: RegistrationHooks;
  readonly #options: ListenerAccessOptions;

  constructor(options: ListenerAccessOptions) {
    const { fabric, rbac, allowedOrigins, clock, logger } = options;
    this.errorFrame = rbac.authErrorFrame;
    this.#options = options;
    this.#auth = new UpgradeAuth(fabric, rbac, allowedOrigins, clock, logger);
    this.#exposure = new Exposure(rbac.exposeFunctions);
    this.#hooks = new RegistrationHooks(fabric, rbac);
  }

  async decide(request: UpgradeRequest): Promise<Entry> {
    const decision = await this.#auth.decide(request);
    if (decision.kind === 'refused') return decision;
    const { fabric, guards } = this.#options;
    return {
      kind: 'granted',
      rights: { access: new SessionAccess(decision.grant, this.#exposure, fabric.functions), hooks: this.#hooks, guards },
    };
  }
}

/** Functions that decide who gets in to the listeners with these rules. */
export function guardsOf(rules: readonly RbacConfig[]): string[] {
  const ids = rules.flatMap((rbac) => [
    rbac.authFunction,
    rbac.onFunctionRegistration,
    rbac.onTriggerRegistration,
    rbac.onTriggerTypeRegistration,
  ]);
  return ids.filter((id) => id !== undefined);
}
