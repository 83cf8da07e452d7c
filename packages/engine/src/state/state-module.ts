import type { StateConfig } from '../config/config.js';
import type { Fabric } from '../core/fabric/fabric.js';
import type { Logger } from '../logging/logger.js';
import type { StreamStore } from '../store/store.js';
import { registerStateFunctions } from './state-functions.js';
import { STATE_STREAM } from './state-input.js';
import { stateTriggerConfig } from './state-schemas.js';
import { StateTriggers } from './state-triggers.js';

export interface StateModuleOptions {
  readonly config: StateConfig;
  readonly fabric: Fabric;
  /** Store of the module alone. Everything in it is state. */
  readonly store: StreamStore;
  /** Runs when another process has taken over the store. */
  readonly onStoreLost?: (() => void) | undefined;
  readonly logger: Logger;
}

/** State: `scope` → `key` → value. The module adds functions and a trigger type to the fabric, over a store of its own. */
export class StateModule {
  readonly #options: StateModuleOptions;
  readonly #triggers: StateTriggers;

  constructor(options: StateModuleOptions) {
    const { config, fabric, store, logger } = options;
    this.#options = options;
    const follows = config.triggersEnabled;
    this.#triggers = new StateTriggers(fabric, logger, (wanted) => {
      if (follows && wanted) store.follow?.(STATE_STREAM);
      else if (follows) store.unfollow?.(STATE_STREAM);
    });
    registerStateFunctions({ fabric, store, maxValueBytes: config.maxValueBytes, logger });
    fabric.provideTriggerType('state', 'Fires after a change of a key.', this.#triggers, stateTriggerConfig);
  }

  /** Opens the store. Until then every state::* function fails. */
  async start(): Promise<void> {
    const { store, config, logger } = this.#options;
    const { triggersEnabled } = config;
    await store.start({
      onCommit: (commit) => {
        if (triggersEnabled) this.#triggers.publish(commit);
      },
      // No client holds a position of state, so a break loses no continuity.
      onBreak: () => {},
      onLost: () => this.#options.onStoreLost?.(),
    });
    if (!triggersEnabled) logger.info('state_triggers_paused', { reason: 'triggers_enabled of rivulet-state is false' });
  }

  /** Closes the store. Must run when nothing can write any more. */
  async stop(): Promise<void> {
    await this.#options.store.close();
  }
}
