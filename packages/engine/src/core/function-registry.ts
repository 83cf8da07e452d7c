import type { PendingCall } from './fabric.js';
import type { BuiltinHandler, Call, Outcome } from './invocation.js';

/** Somebody who runs functions for others: a connected worker. */
export interface FunctionOwner {
  readonly workerId: string;
  /** Hands the call over; `done` runs once, unless the call is cancelled first. */
  dispatch(call: Call, done: (outcome: Outcome) => void): PendingCall;
}

export interface Registration {
  readonly id: string;
  readonly owner: FunctionOwner;
  readonly description: string | null;
  readonly requestFormat: unknown;
  readonly responseFormat: unknown;
  readonly metadata: unknown;
  /** HTTP-invoked, which this engine does not perform. */
  readonly httpInvoked: boolean;
}

export interface Builtin {
  readonly id: string;
  readonly handler: BuiltinHandler;
  readonly description: string;
}

/**
 * Who serves which function id. The last live registrant serves; when it goes, the most recent surviving one takes its place
 * (spec WP §1.7). Built-ins can't be shadowed.
 */
export class FunctionRegistry {
  readonly #builtins = new Map<string, Builtin>();
  /** Registrants of an id, the serving one last. Never empty. */
  readonly #functions = new Map<string, Registration[]>();
  readonly #onChange: () => void;
  readonly #onServed: ((id: string) => void)[] = [];

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** `listener` runs when another worker than before serves an id; not when nobody does any more. It must not throw. */
  onServed(listener: (id: string) => void): void {
    this.#onServed.push(listener);
  }

  addBuiltin(builtin: Builtin): void {
    if (this.#builtins.has(builtin.id)) throw new Error(`built-in ${builtin.id} is registered twice`);
    this.#builtins.set(builtin.id, builtin);
  }

  builtin(id: string): Builtin | undefined {
    return this.#builtins.get(id);
  }

  /** `shadows`: the id belongs to the engine and stays its own. `took_over`: another live worker served it until now. */
  register(registration: Registration): 'registered' | 'took_over' | 'shadows' {
    const { id, owner } = registration;
    if (id.startsWith('engine::') || this.#builtins.has(id)) return 'shadows';
    const others = this.#functions.get(id)?.filter((other) => other.owner !== owner) ?? [];
    const before = this.#functions.get(id)?.at(-1)?.owner;
    this.#functions.set(id, [...others, registration]);
    this.#onChange();
    if (before !== owner) this.#tellServed(id);
    return before === undefined || before === owner ? 'registered' : 'took_over';
  }

  /** Removes this owner's registration only. */
  unregister(id: string, owner: FunctionOwner): void {
    const registrants = this.#functions.get(id);
    if (registrants === undefined) return;
    const left = registrants.filter((other) => other.owner !== owner);
    if (left.length === registrants.length) return;
    if (left.length === 0) this.#functions.delete(id);
    else this.#functions.set(id, left);
    this.#onChange();
    if (left.length > 0 && registrants.at(-1)?.owner === owner) this.#tellServed(id);
  }

  /** The registration that serves the id now; that of `preferWorker` when it has a live one. */
  find(id: string, preferWorker?: string): Registration | undefined {
    const registrants = this.#functions.get(id);
    if (registrants === undefined) return undefined;
    const preferred = preferWorker === undefined ? undefined : registrants.find((other) => other.owner.workerId === preferWorker);
    return preferred ?? registrants.at(-1);
  }

  /** Ids of the workers that have registered the function. */
  owners(id: string): readonly string[] {
    return this.#functions.get(id)?.map(({ owner }) => owner.workerId) ?? [];
  }

  has(id: string): boolean {
    return this.#builtins.has(id) || this.#functions.has(id);
  }

  /** Serving registrations and built-ins, sorted by id. */
  list(): (Registration | Builtin)[] {
    const rows: (Registration | Builtin)[] = [...this.#builtins.values()];
    for (const registrants of this.#functions.values()) rows.push(registrants.at(-1) as Registration);
    return rows.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }

  #tellServed(id: string): void {
    for (const tell of this.#onServed) tell(id);
  }
}
