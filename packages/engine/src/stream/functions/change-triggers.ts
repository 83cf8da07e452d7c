import type { Fabric, TriggerBinding, TriggerProvider } from '../../core/fabric/fabric.js';
import { JsonPayload } from '../../core/fabric/invocation.js';
import type { Tracing } from '../../core/fabric/tracing.js';
import { OrderedTrigger } from '../../core/triggers/ordered-trigger.js';
import type { Logger } from '../../logging/logger.js';
import type { Commit } from '../../store/store.js';
import { matches, readFilter, type TriggerFilter } from './trigger-filter.js';

/**
 * The `stream` trigger type: functions that run after a change (spec ST §2.7). A write never waits for them. Changes of one item reach one
 * binding in order and at most once. The number of waiting changes is bounded.
 */
export class ChangeTriggers implements TriggerProvider {
  readonly #tracing: Tracing | undefined;
  readonly #bindings: OrderedTrigger<TriggerFilter>;

  /** `onWanted` runs when the first binding wants a stream, and when the last one ends. `undefined`: the binding wants every stream. */
  constructor(fabric: Fabric, logger: Logger, onWanted: (stream: string | undefined, wanted: boolean) => void) {
    this.#tracing = fabric.tracing;
    this.#bindings = new OrderedTrigger(fabric, logger, { read: readFilter, indexOf: (filter) => filter.stream, onWanted });
  }

  register(binding: TriggerBinding): void {
    this.#bindings.register(binding);
  }

  unregister(binding: TriggerBinding): void {
    this.#bindings.unregister(binding);
  }

  /** Returns whether a binding may want changes of this stream. */
  wants(stream: string): boolean {
    return this.#bindings.wants(stream);
  }

  /** Fires the bindings that match. `text` is the frame of the change, as subscribers get it. */
  publish(commit: Commit, text: string): void {
    const { stream, group, item } = commit;
    const wanted = (filter: TriggerFilter) => matches(filter, stream, group, item);
    this.#bindings.publish(
      stream,
      wanted,
      () => JSON.stringify([stream, group, item ?? null]),
      JsonPayload.ofText(text),
      this.#tracing?.writeOf(commit),
    );
  }
}
