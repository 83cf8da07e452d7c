import type { Fabric, TriggerBinding, TriggerProvider } from '../core/fabric.js';
import { JsonPayload } from '../core/invocation.js';
import type { Logger } from '../logging/logger.js';
import { OrderedFiring } from './ordered-firing.js';
import type { Commit } from './store.js';
import { matches, readFilter, type TriggerFilter } from './trigger-filter.js';

interface Watcher {
  readonly binding: TriggerBinding;
  readonly filter: TriggerFilter;
  readonly firing: OrderedFiring;
}

/**
 * The `stream` trigger type: functions that run after a change. The writer never waits for them. Ordered for each (binding, stream,
 * group, item), at most once, bounded (spec ST §2.7).
 */
export class ChangeTriggers implements TriggerProvider {
  readonly #fabric: Fabric;
  readonly #logger: Logger;
  readonly #watchers = new Map<string, Watcher>();
  /** By stream name, so that a change looks only at bindings of its own stream; `undefined` holds those of any stream. */
  readonly #byStream = new Map<string | undefined, Set<Watcher>>();

  constructor(fabric: Fabric, logger: Logger) {
    this.#fabric = fabric;
    this.#logger = logger;
  }

  register(binding: TriggerBinding): void {
    const filter = readFilter(binding.config);
    this.unregister(binding);
    const firing = new OrderedFiring(() => {
      this.#logger.warn('trigger_overflow', { trigger: binding.id, function: binding.functionId });
    });
    const watcher = { binding, filter, firing };
    this.#watchers.set(binding.id, watcher);
    const same = this.#byStream.get(filter.stream);
    if (same === undefined) this.#byStream.set(filter.stream, new Set([watcher]));
    else same.add(watcher);
  }

  unregister(binding: TriggerBinding): void {
    const watcher = this.#watchers.get(binding.id);
    if (watcher === undefined) return;
    this.#watchers.delete(binding.id);
    watcher.firing.close();
    const same = this.#byStream.get(watcher.filter.stream);
    same?.delete(watcher);
    if (same?.size === 0) this.#byStream.delete(watcher.filter.stream);
  }

  /** Whether any binding may want a change of this stream. */
  wants(stream: string): boolean {
    return this.#watchers.size > 0 && (this.#byStream.has(undefined) || this.#byStream.has(stream));
  }

  /** Fires the bindings that match; `text` is the change as subscribers see it. */
  publish(commit: Commit, text: string): void {
    this.#publishTo(this.#byStream.get(undefined), commit, text);
    this.#publishTo(this.#byStream.get(commit.stream), commit, text);
  }

  #publishTo(watchers: Set<Watcher> | undefined, commit: Commit, text: string): void {
    if (watchers === undefined) return;
    for (const { binding, filter, firing } of watchers) {
      if (!matches(filter, commit.stream, commit.group, commit.item)) continue;
      const lane = JSON.stringify([commit.stream, commit.group, commit.item ?? null]);
      firing.enqueue(lane, () => this.#fabric.fire(binding, JsonPayload.ofText(text)));
    }
  }
}
