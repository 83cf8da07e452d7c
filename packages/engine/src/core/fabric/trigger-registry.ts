import { LIMITS, nearMiss, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { PairMap } from '../../structures/pair-map.js';
import type { TriggerBinding, TriggerProvider } from './fabric.js';
import { DEFAULT_NAMESPACE } from './function-registry.js';

export interface TriggerType {
  readonly id: string;
  /** The namespace of its provider; `default` for a type of the engine, which bindings of all namespaces find. */
  readonly namespace: string;
  readonly description: string;
  readonly triggerRequestFormat: unknown;
  readonly callRequestFormat: unknown;
  readonly provider: TriggerProvider;
  /** The worker that provides it; `undefined`: the engine. */
  readonly workerId: string | undefined;
}

interface Entry {
  readonly binding: TriggerBinding;
  /** The namespace of the worker that registered the binding. */
  ownNamespace: string;
  /** The type whose provider knows the binding; `undefined` while it is parked. */
  live: TriggerType | undefined;
}

/** Types whose absence is reported; more of them are the work of a program. */
const REPORTED_TYPES = 1_024;

/** Types that exist upstream and not here: their bindings wait for ever, which deserves a hint. */
const NEVER_HERE = ['cron', 'durable:subscriber', 'queue', 'log', 'trace', 'configuration'];

/** Types of the engine, with the entry of the configuration that provides each. */
const ENTRY_OF: Readonly<Record<string, string>> = {
  subscribe: 'iii-pubsub',
  state: 'iii-state',
  stream: 'iii-stream',
  'stream:join': 'iii-stream',
  'stream:leave': 'iii-stream',
  http: 'iii-http',
};

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ...NEVER_HERE.map((type) => [type, 'bindings of this type never fire here'] as const),
  ...Object.entries(ENTRY_OF).map(([type, entry]) => [type, `list ${entry} in the configuration; its bindings wait until then`] as const),
]);

/**
 * Trigger types and bindings. A binding whose type does not exist yet is parked and becomes live with it: workers connect in any
 * order (spec WP §1.10). There is exactly one binding of an id; registering the id again replaces it.
 *
 * A binding finds the engine's types from every namespace. It finds a worker's type in the namespace that it names; if it names none, in
 * that of its registrant, then in `default`.
 */
export class TriggerRegistry {
  /** By id and namespace. */
  readonly #types = new PairMap<TriggerType>();
  readonly #entries = new Map<string, Entry>();
  readonly #hinted = new Set<string>();
  /** Types that bindings wait for and that were reported. */
  readonly #reported = new Set<string>();
  #reportDue = false;
  /** Bindings that belong to no worker. */
  #durable = 0;
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Makes a type live, in place of a provider of the same id if there is one; all its bindings are handed to the new one. */
  addType(type: TriggerType): void {
    const replaced = this.#types.get(type.id, type.namespace);
    if (this.#engineType(type.id) !== undefined) {
      throw new RivuletError('trigger_registration_failed', `trigger type ${type.id} belongs to the engine`);
    }
    this.#types.set(type.id, type.namespace, type);
    for (const entry of this.#entries.values()) {
      if (entry.binding.type !== type.id || this.#typeOf(entry) !== type) continue;
      // Another provider than before: a replaced one ends with its connection, one of another namespace stays.
      if (entry.live !== replaced) entry.live?.provider.unregister(entry.binding);
      this.#activate(entry, type);
    }
  }

  /** Removes a type if this worker provides it; its bindings go to the type that they find now, or are parked. */
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

  /** The type as somebody in this namespace finds it. */
  type(id: string, namespace = DEFAULT_NAMESPACE): TriggerType | undefined {
    return this.#engineType(id) ?? this.#types.get(id, namespace);
  }

  types(): TriggerType[] {
    return [...this.#types.values()].sort((a, b) => (a.id < b.id || (a.id === b.id && a.namespace < b.namespace) ? -1 : 1));
  }

  binding(id: string): TriggerBinding | undefined {
    return this.#entries.get(id)?.binding;
  }

  /** The binding of that id if this one provides its type now. */
  providedBy(provider: TriggerProvider, id: string): TriggerBinding | undefined {
    const entry = this.#entries.get(id);
    return entry !== undefined && this.#typeOf(entry)?.provider === provider ? entry.binding : undefined;
  }

  bindings(): TriggerBinding[] {
    return [...this.#entries.values()].map((entry) => entry.binding);
  }

  /** Whether the binding waits for a provider. */
  waits(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.live === undefined;
  }

  /** Throws what the provider throws, or `OVERLOADED` for a durable binding too many; the binding is not kept then. */
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

  /** The registrant of the binding belongs to another namespace now, where the binding may find another type. */
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

  /** Idempotent. Answers whether there was one. */
  unregister(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    if (entry.binding.workerId === undefined) this.#durable--;
    entry.live?.provider.unregister(entry.binding);
    return true;
  }

  /** The provider refused the binding after the fact: it waits for the next provider. */
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

  /** Workers connect in any order, so a binding may wait for a while. After that its type is probably misspelt. */
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
