import type { Fabric, TriggerBinding, TriggerProvider } from '../core/fabric/fabric.js';
import { JsonPayload } from '../core/fabric/invocation.js';
import { OrderedTrigger, readConfigText } from '../core/triggers/ordered-trigger.js';
import type { Logger } from '../logging/logger.js';
import type { Commit } from '../store/store.js';

/** Which keys a binding is about. `undefined` = any; the empty text is a name like any other (spec SA §3.2). */
interface StateFilter {
  readonly scope: string | undefined;
  readonly key: string | undefined;
}

const EVENT_TYPES = { create: 'state:created', update: 'state:updated', delete: 'state:deleted' } as const;

/**
 * The `state` trigger type: functions that run after a change of a key. The writer never waits for them. Ordered for each (binding,
 * scope, key), at most once, bounded.
 */
export class StateTriggers implements TriggerProvider {
  readonly #bindings: OrderedTrigger<StateFilter>;

  /** `onWanted` is told when the first binding comes, and when the last has gone. */
  constructor(fabric: Fabric, logger: Logger, onWanted: (wanted: boolean) => void) {
    let names = 0;
    this.#bindings = new OrderedTrigger(fabric, logger, {
      read: (config) => ({ scope: readConfigText(config, 'scope'), key: readConfigText(config, 'key') }),
      indexOf: (filter) => filter.scope,
      onWanted: (_scope, wanted) => {
        names += wanted ? 1 : -1;
        if (names === (wanted ? 1 : 0)) onWanted(wanted);
      },
    });
  }

  register(binding: TriggerBinding): void {
    this.#bindings.register(binding);
  }

  unregister(binding: TriggerBinding): void {
    this.#bindings.unregister(binding);
  }

  /** Fires the bindings that match. Called once for each change, in the order of commits. */
  publish(commit: Commit): void {
    const { group: scope, item: key, effect } = commit;
    if (key === undefined || effect === 'event' || !this.#bindings.wants(scope)) return;
    const newValue = effect === 'delete' ? 'null' : commit.data;
    const names = `"scope":${JSON.stringify(scope)},"key":${JSON.stringify(key)}`;
    const text = `{"type":"state","event_type":"${EVENT_TYPES[effect]}",${names},"old_value":${commit.old ?? 'null'},"new_value":${newValue}}`;
    const wanted = (filter: StateFilter) => filter.key === undefined || filter.key === key;
    this.#bindings.publish(scope, wanted, () => JSON.stringify([scope, key]), JsonPayload.ofText(text));
  }
}
