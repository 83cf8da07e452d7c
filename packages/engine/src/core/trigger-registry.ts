import { LIMITS, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../logging/logger.js';
import type { TriggerBinding, TriggerProvider } from './fabric.js';

export interface TriggerType {
  readonly id: string;
  readonly description: string;
  readonly triggerRequestFormat: unknown;
  readonly callRequestFormat: unknown;
  readonly provider: TriggerProvider;
  /** The worker that provides it; `undefined`: the engine. */
  readonly workerId: string | undefined;
}

interface Entry {
  readonly binding: TriggerBinding;
  /** The provider that knows the binding; `undefined` while it is parked. */
  provider: TriggerProvider | undefined;
}

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
 */
export class TriggerRegistry {
  readonly #types = new Map<string, TriggerType>();
  readonly #entries = new Map<string, Entry>();
  readonly #hinted = new Set<string>();
  /** Bindings that belong to no worker. */
  #durable = 0;
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Makes a type live, in place of a provider of the same id if there is one; all its bindings are handed to the new one. */
  addType(type: TriggerType): void {
    const existing = this.#types.get(type.id);
    if (existing !== undefined && existing.workerId === undefined) {
      throw new RivuletError('trigger_registration_failed', `trigger type ${type.id} belongs to the engine`);
    }
    this.#types.set(type.id, type);
    for (const entry of this.#entries.values()) {
      if (entry.binding.type === type.id) this.#activate(entry, type);
    }
  }

  /** Removes a type if this worker provides it; its bindings are parked. */
  removeType(id: string, workerId: string): void {
    if (this.#types.get(id)?.workerId !== workerId) return;
    this.#types.delete(id);
    for (const entry of this.#entries.values()) if (entry.binding.type === id) entry.provider = undefined;
  }

  type(id: string): TriggerType | undefined {
    return this.#types.get(id);
  }

  types(): TriggerType[] {
    return [...this.#types.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  binding(id: string): TriggerBinding | undefined {
    return this.#entries.get(id)?.binding;
  }

  bindings(): TriggerBinding[] {
    return [...this.#entries.values()].map((entry) => entry.binding);
  }

  /** Throws what the provider throws, or `OVERLOADED` for a durable binding too many; the binding is not kept then. */
  register(binding: TriggerBinding): void {
    this.unregister(binding.id);
    if (binding.workerId === undefined && this.#durable >= LIMITS.durableTriggers) {
      throw new RivuletError(
        'OVERLOADED',
        `there are ${LIMITS.durableTriggers} durable triggers; remove some with engine::unregister_trigger`,
      );
    }
    const entry: Entry = { binding, provider: undefined };
    const type = this.#types.get(binding.type);
    if (type === undefined) this.#hint(binding.type);
    else {
      type.provider.register(binding);
      entry.provider = type.provider;
    }
    this.#entries.set(binding.id, entry);
    if (binding.workerId === undefined) this.#durable++;
  }

  /** Idempotent. Answers whether there was one. */
  unregister(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    if (entry.binding.workerId === undefined) this.#durable--;
    entry.provider?.unregister(entry.binding);
    return true;
  }

  /** The provider refused the binding after the fact: it waits for the next provider. */
  park(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.provider = undefined;
  }

  #activate(entry: Entry, type: TriggerType): void {
    try {
      type.provider.register(entry.binding);
      entry.provider = type.provider;
    } catch (error) {
      this.#logger.warn('trigger_parked', { trigger: entry.binding.id, type: type.id, error: String(error) });
    }
  }

  #hint(type: string): void {
    const remedy = REMEDIES.get(type);
    if (remedy === undefined || this.#hinted.has(type)) return;
    this.#hinted.add(type);
    this.#logger.warn('trigger_type_not_here', { type, remedy });
  }
}
