import { RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Fabric, FiringCause, TriggerBinding, TriggerProvider } from '../fabric/fabric.js';
import type { JsonPayload } from '../fabric/invocation.js';
import { LaneQueue } from './lane-queue.js';

interface Watcher<Filter> {
  readonly binding: TriggerBinding;
  readonly filter: Filter;
  readonly firing: LaneQueue;
}

/** The way in which a kind of trigger reads its config. */
export interface FilterOf<Filter> {
  /** Reads a config. Throws `trigger_registration_failed` for a wrong one. */
  readonly read: (config: Readonly<Record<string, unknown>>) => Filter;
  /** Returns the name under which a binding is found; `undefined` for a binding of all names. */
  readonly indexOf: (filter: Filter) => string | undefined;
  /** Runs when the first binding wants a name (or all names), and when no binding wants it any more. Must not throw. */
  readonly onWanted?: (name: string | undefined, wanted: boolean) => void;
}

/**
 * Provider of a trigger type whose functions run after something happened. The cause never waits for them. Each binding keeps the order
 * within a lane, runs at most once for each event, and is bounded (spec ST §2.7, SA §3.2).
 */
export class OrderedTrigger<Filter> implements TriggerProvider {
  readonly #fabric: Fabric;
  readonly #logger: Logger;
  readonly #filterOf: FilterOf<Filter>;
  readonly #watchers = new Map<string, Watcher<Filter>>();
  /** Bindings by name, so that an event visits only those that may want it. `undefined` holds the bindings of all names. */
  readonly #byName = new Map<string | undefined, Set<Watcher<Filter>>>();

  constructor(fabric: Fabric, logger: Logger, filterOf: FilterOf<Filter>) {
    this.#fabric = fabric;
    this.#logger = logger;
    this.#filterOf = filterOf;
  }

  register(binding: TriggerBinding): void {
    const filter = this.#filterOf.read(binding.config);
    readConfigText(binding.config, 'condition_function_id');
    this.unregister(binding);
    const { scheduler, countsOf } = this.#fabric.firing;
    const firing = new LaneQueue(scheduler, countsOf(binding.type), this.#overflowOf(binding));
    const watcher = { binding, filter, firing };
    this.#watchers.set(binding.id, watcher);
    const name = this.#filterOf.indexOf(filter);
    const same = this.#byName.get(name);
    if (same !== undefined) {
      same.add(watcher);
      return;
    }
    this.#byName.set(name, new Set([watcher]));
    this.#filterOf.onWanted?.(name, true);
  }

  #overflowOf({ id, functionId }: TriggerBinding): () => void {
    const line = new RepeatedLine();
    return () => line.add((dropped) => this.#logger.warn('trigger_overflow', { trigger: id, function: functionId, dropped }));
  }

  unregister(binding: TriggerBinding): void {
    const watcher = this.#watchers.get(binding.id);
    if (watcher === undefined) return;
    this.#watchers.delete(binding.id);
    watcher.firing.close();
    const name = this.#filterOf.indexOf(watcher.filter);
    const same = this.#byName.get(name);
    same?.delete(watcher);
    if (same?.size !== 0) return;
    this.#byName.delete(name);
    this.#filterOf.onWanted?.(name, false);
  }

  /** Returns whether a binding may want an event of this name. */
  wants(name: string): boolean {
    return this.#watchers.size > 0 && (this.#byName.has(undefined) || this.#byName.has(name));
  }

  /** Fires the matching bindings after this call. `lane` runs only when a binding matches. `cause` is that of `Fabric.fire`. */
  publish(name: string, matches: (filter: Filter) => boolean, lane: () => string, event: JsonPayload, cause?: FiringCause): void {
    const fired: Watcher<Filter>[] = [];
    for (const watchers of [this.#byName.get(undefined), this.#byName.get(name)]) {
      for (const watcher of watchers ?? []) if (matches(watcher.filter)) fired.push(watcher);
    }
    if (fired.length === 0) return;
    const held = this.#fabric.firing.events.hold(event.text.length);
    const inLane = lane();
    for (const { binding, firing } of fired) {
      if (held === undefined) firing.drop();
      else firing.enqueue(inLane, () => this.#fabric.fire(binding, event, undefined, cause), held);
    }
    held?.release();
  }
}

/** Returns a text of a binding's config; `undefined` when it is absent or `null`. Any other value refuses the binding. */
export function readConfigText(config: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new RivuletError('trigger_registration_failed', `config.${key} must be a string`);
  return value;
}
