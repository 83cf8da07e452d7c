import { LIMITS, nearMiss, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { PairMap } from '../../structures/pair-map.js';
import type { TriggerBinding, TriggerProvider } from './fabric.js';
import { DEFAULT_NAMESPACE } from './function-registry.js';

export interface TriggerType {
  readonly id: string;
  /** Namespace of its provider; `default` for a type of the engine, which bindings of all namespaces find. */
  readonly namespace: string;
  readonly description: string;
  readonly triggerRequestFormat: unknown;
  readonly callRequestFormat: unknown;
  readonly provider: TriggerProvider;
  /** Worker that provides it; `undefined` for a type of the engine. */
  readonly workerId: string | undefined;
}

interface Entry {
  readonly binding: TriggerBinding;
  /** Namespace of the worker that registered the binding. */
  ownNamespace: string;
  /** The type whose provider has the binding; `undefined` while the binding is parked. */
  live: TriggerType | undefined;
}

/** Most types whose absence is reported. A peer that uses more makes them up. */
const REPORTED_TYPES = 1_024;

/** Types of the original engine that this engine never provides. The log reports their bindings, which never fire. */
const NEVER_HERE = ['cron', 'durable:subscriber', 'queue', 'log', 'trace', 'configuration'];

/** Types of the engine, with the entry of the configuration that provides each. */
const ENTRY_OF: Readonly<Record<string, string>> = {
  subscribe: 'rivulet-pubsub',
  state: 'rivulet-state',
  stream: 'rivulet-stream',
  'stream:join': 'rivulet-stream',
  'stream:leave': 'rivulet-stream',
  http: 'rivulet-http',
};

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ...NEVER_HERE.map((type) => [type, 'bindings of this type never fire here'] as const),
  ...Object.entries(ENTRY_OF).map(([type, entry]) => [type, `list ${entry} in the configuration; its bindings wait until then`] as const),
]);

/**
 * Trigger types and bindings. Each id has one binding, and registering the id again replaces it.
 *
 * parked ──(a provider comes)──▶ live ──(it leaves or refuses)──▶ parked
 *
 * A binding whose type does not exist is parked and becomes live with the type, because workers connect in any order (spec WP §1.10).
 *
 * A binding finds the types of the engine from every namespace. It finds a worker's type in the namespace that it names. When it names
 * none, it looks in the namespace of its registrant and then in `default`.
 */
export class TriggerRegistry {
  /** Types by id and namespace. */
  readonly #types = new PairMap<TriggerType>();
  readonly #entries = new Map<string, Entry>();
  readonly #hinted = new Set<string>();
  /** Missing types that were reported. */
  readonly #reported = new Set<string>();
  #reportDue = false;
  /** Count of the bindings that belong to no worker. */
  #durable = 0;
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Makes a type live, in place of a type with the same id and namespace. Its provider gets all bindings of the type. */
  addType(type: TriggerType): void {
    const replaced = this.#types.get(type.id, type.namespace);
    if (this.#engineType(type.id) !== undefined) {
      throw new RivuletError('trigger_registration_failed', `trigger type ${type.id} belongs to the engine`);
    }
    this.#types.set(type.id, type.namespace, type);
    for (const entry of this.#entries.values()) {
      if (entry.binding.type !== type.id || this.#typeOf(entry) !== type) continue;
      // A replaced provider ends with its connection. A provider of another namespace stays, so it must drop the binding.
      if (entry.live !== replaced) entry.live?.provider.unregister(entry.binding);
      this.#activate(entry, type);
    }
  }

  /** Removes a type if this worker provides it. Each of its bindings goes to the type that it finds now, or is parked. */
  removeType(id: string, namespace: string, workerId: string): TriggerType | undefined {
    const type = this.#types.get(id, namespace);
    if (type?.workerId !== workerId) return undefined;
    this.#types.delete(id, namespace);
    for (const entry of this.#entries.values()) {
      if (entry.live !== type) continue;
      entry.live = undefined;
      const next = this.#typeOf(entry);
      if (next !== undefined) this.#activate(entry, next);
    }
    return type;
  }

  /** Returns the type that a binding in this namespace finds. */
  type(id: string, namespace = DEFAULT_NAMESPACE): TriggerType | undefined {
    return this.#engineType(id) ?? this.#types.get(id, namespace);
  }

  types(): TriggerType[] {
    return [...this.#types.values()].sort((a, b) => (a.id < b.id || (a.id === b.id && a.namespace < b.namespace) ? -1 : 1));
  }

  binding(id: string): TriggerBinding | undefined {
    return this.#entries.get(id)?.binding;
  }

  /** Returns the binding with this id if `provider` provides its type now. */
  providedBy(provider: TriggerProvider, id: string): TriggerBinding | undefined {
    const entry = this.#entries.get(id);
    return entry !== undefined && this.#typeOf(entry)?.provider === provider ? entry.binding : undefined;
  }

  /** Number of bindings. */
  get size(): number {
    return this.#entries.size;
  }

  bindings(): TriggerBinding[] {
    return [...this.eachBinding()];
  }

  /** Yields the bindings one by one. The registry may change during the iteration. */
  *eachBinding(): IterableIterator<TriggerBinding> {
    for (const { binding } of this.#entries.values()) yield binding;
  }

  /** Returns what an operator can do about a type that the engine does not provide now; `undefined` for a type of a worker. */
  remedyOf(type: string): string | undefined {
    return REMEDIES.get(type);
  }

  /** Returns whether a binding waits for a provider. */
  waits(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.live === undefined;
  }

  /**
   * Adds a binding. Throws the error of the provider, or `OVERLOADED` when there are too many durable bindings. The binding is not kept
   * then.
   */
  register(binding: TriggerBinding, ownNamespace = DEFAULT_NAMESPACE): void {
    this.unregister(binding.id);
    if (binding.workerId === undefined && this.#durable >= LIMITS.durableTriggers) {
      throw new RivuletError(
        'OVERLOADED',
        `there are ${LIMITS.durableTriggers} durable triggers; remove some with engine::unregister_trigger`,
      );
    }
    const entry: Entry = { binding, ownNamespace, live: undefined };
    const type = this.#typeOf(entry);
    if (type === undefined) this.#waitFor(binding.type);
    else {
      type.provider.register(binding);
      entry.live = type;
    }
    this.#entries.set(binding.id, entry);
    if (binding.workerId === undefined) this.#durable++;
  }

  /** Moves a binding with its registrant into another namespace, where it may find another type. */
  rename(id: string, ownNamespace: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.ownNamespace = ownNamespace;
    const type = this.#typeOf(entry);
    if (type === entry.live) return;
    entry.live?.provider.unregister(entry.binding);
    entry.live = undefined;
    if (type !== undefined) this.#activate(entry, type);
  }

  /** Removes a binding and returns whether it existed. Idempotent. */
  unregister(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    if (entry.binding.workerId === undefined) this.#durable--;
    entry.live?.provider.unregister(entry.binding);
    return true;
  }

  /** Parks a live binding that its provider refused. It waits for the next provider. */
  park(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.live = undefined;
  }

  #typeOf({ binding, ownNamespace }: Entry): TriggerType | undefined {
    const { type: id, typeNamespace } = binding;
    if (typeNamespace !== undefined) return this.type(id, typeNamespace);
    return this.type(id, ownNamespace) ?? this.type(id);
  }

  #engineType(id: string): TriggerType | undefined {
    const type = this.#types.get(id, DEFAULT_NAMESPACE);
    return type?.workerId === undefined ? type : undefined;
  }

  #activate(entry: Entry, type: TriggerType): void {
    try {
      type.provider.register(entry.binding);
      entry.live = type;
    } catch (error) {
      entry.live = undefined;
      this.#logger.warn('trigger_parked', { trigger: entry.binding.id, type: type.id, error: String(error) });
    }
  }

  #waitFor(type: string): void {
    const remedy = REMEDIES.get(type);
    if (remedy === undefined) {
      if (this.#reportDue) return;
      this.#reportDue = true;
      setTimeout(() => this.#reportWaiting(), LIMITS.triggerWaitReportMs).unref();
      return;
    }
    if (this.#hinted.has(type)) return;
    this.#hinted.add(type);
    this.#logger.warn('trigger_type_not_here', { type, remedy });
  }

  /** Reports missing types after a while. Workers connect in any order, so a type that is still missing is probably misspelt. */
  #reportWaiting(): void {
    this.#reportDue = false;
    const waiting = new Map<string, { readonly first: TriggerBinding; bindings: number }>();
    for (const { binding, live } of this.#entries.values()) {
      if (live !== undefined || REMEDIES.has(binding.type) || this.#reported.has(binding.type)) continue;
      const ofType = waiting.get(binding.type) ?? { first: binding, bindings: 0 };
      ofType.bindings++;
      waiting.set(binding.type, ofType);
    }
    const known = new Set(this.types().map(({ id }) => id));
    for (const [type, { first, bindings }] of waiting) {
      if (this.#reported.size >= REPORTED_TYPES) return;
      this.#reported.add(type);
      const nearest = nearMiss(type, known);
      this.#logger.warn('trigger_type_missing', { type, nearest, trigger: first.id, function: first.functionId, bindings });
    }
  }
}
