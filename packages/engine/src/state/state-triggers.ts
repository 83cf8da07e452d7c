import type { Fabric, TriggerBinding, TriggerProvider } from '../core/fabric/fabric.js';
import { JsonPayload } from '../core/fabric/invocation.js';
import type { Tracing } from '../core/fabric/tracing.js';
import { OrderedTrigger, readConfigText } from '../core/triggers/ordered-trigger.js';
import type { Logger } from '../logging/logger.js';
import type { Commit } from '../store/store.js';

/** The keys that a binding wants. `undefined` means any. The empty text is a name like any other (spec SA §3.2). */
interface StateFilter {
  readonly scope: string | undefined;
  readonly key: string | undefined;
}

const EVENT_TYPES = { create: 'state:created', update: 'state:updated', delete: 'state:deleted' } as const;

/**
 * The `state` trigger type: functions run after a change of a key. The writer never waits for them. A binding keeps the order for each
 * scope and key, runs at most once for each change, and is bounded.
 */
export class StateTriggers implements TriggerProvider {
  readonly #tracing: Tracing | undefined;
  readonly #bindings: OrderedTrigger<StateFilter>;

  /** `onWanted` runs when the first binding is added, and when the last is removed. */
  constructor(fabric: Fabric, logger: Logger, onWanted: (wanted: boolean) => void) {
    let names = 0;
    this.#tracing = fabric.tracing;
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

  /** Fires the matching bindings. Runs once for each change, in the order of commits. */
  publish(commit: Commit): void {
    const { group: scope, item: key, effect } = commit;
    if (key === undefined || effect === 'event' || !this.#bindings.wants(scope)) return;
    const newValue = effect === 'delete' ? 'null' : commit.data;
    const names = `"scope":${JSON.stringify(scope)},"key":${JSON.stringify(key)}`;
    const text = `{"type":"state","event_type":"${EVENT_TYPES[effect]}",${names},"old_value":${commit.old ?? 'null'},"new_value":${newValue}}`;
    const wanted = (filter: StateFilter) => filter.key === undefined || filter.key === key;
    this.#bindings.publish(scope, wanted, () => JSON.stringify([scope, key]), JsonPayload.ofText(text), this.#tracing?.writeOf(commit));
  }
}
