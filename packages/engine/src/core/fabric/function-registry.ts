import { PairMap } from '../../structures/pair-map.js';
import type { BuiltinContract } from '../contracts/builtin-contract.js';
import type { PendingCall } from './fabric.js';
import type { BuiltinHandler, Call, Outcome } from './invocation.js';

/** Somebody who runs functions for others: a connected worker. */
export interface FunctionOwner {
  readonly workerId: string;
  /** Hands the call over; `done` runs once, unless the call is cancelled first. */
  dispatch(call: Call, done: (outcome: Outcome) => void): PendingCall;
  /** Somebody trusted takes a function that it holds as a session with rules: its registration is to go, before this returns. */
  displaced(id: string): void;
}

/** The namespace of workers that announce none, of auth functions, hooks and middleware. */
export const DEFAULT_NAMESPACE = 'default';

export interface Registration {
  readonly id: string;
  /** The namespace of the worker. The function is found in this one only. */
  readonly namespace: string;
  readonly owner: FunctionOwner;
  readonly description: string | null;
  readonly requestFormat: unknown;
  readonly responseFormat: unknown;
  readonly metadata: unknown;
  /** HTTP-invoked, which this engine does not perform. */
  readonly httpInvoked: boolean;
  /** Of a session with rules. It never stands beside a registration of somebody trusted. */
  readonly guest: boolean;
  /** May answer calls that decide about others: of somebody trusted, or named in the `allowed_functions` of its session. */
  readonly mayDecide: boolean;
}

export interface Builtin {
  readonly id: string;
  readonly handler: BuiltinHandler;
  readonly description: string;
  readonly contract: BuiltinContract | undefined;
}

/**
 * Who serves which function id in which namespace. The last live registrant serves; when it goes, the most recent surviving one takes its
 * place (spec WP §1.7). Built-ins can't be shadowed, and every namespace finds them.
 */
export class FunctionRegistry {
  readonly #builtins = new Map<string, Builtin>();
  /** Registrants by id and namespace, the serving one last. Never empty. */
  readonly #functions = new PairMap<Registration[]>();
  /** How many ids each namespace has. */
  readonly #namespaces = new Map<string, number>();
  /** The order in which registrations were made. */
  readonly #serials = new WeakMap<Registration, number>();
  #serial = 0;
  readonly #onChange: () => void;
  readonly #onServed: ((id: string) => void)[] = [];

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** `listener` runs when another worker than before serves an id in a namespace; not when nobody does any more. It must not throw. */
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
    const { id, namespace, owner, guest } = registration;
    if (id.startsWith('engine::') || this.#builtins.has(id)) return 'shadows';
    const held = guest ? [] : (this.#functions.get(id, namespace) ?? []);
    for (const other of held) if (other.guest) other.owner.displaced(id);
    const before = this.#functions.get(id, namespace);
    const others = before?.filter((other) => other.owner !== owner && (guest || !other.guest)) ?? [];
    const server = before?.at(-1)?.owner;
    this.#set(id, namespace, [...others, registration]);
    this.#serials.set(registration, ++this.#serial);
    this.#onChange();
    if (server !== owner) this.#notifyServed(id);
    return server === undefined || server === owner ? 'registered' : 'took_over';
  }

  /** Removes this owner's registration only, and returns it. */
  unregister(id: string, namespace: string, owner: FunctionOwner): Registration | undefined {
    const registrants = this.#functions.get(id, namespace);
    const own = registrants?.find((other) => other.owner === owner);
    if (registrants === undefined || own === undefined) return undefined;
    const left = registrants.filter((other) => other !== own);
    this.#set(id, namespace, left);
    this.#onChange();
    if (left.length > 0 && registrants.at(-1) === own) this.#notifyServed(id);
    return own;
  }

  /** The registration that serves the id in the namespace now; that of `preferWorker` when it has a live one. `deciding`: as in `Call`. */
  find(id: string, namespace = DEFAULT_NAMESPACE, preferWorker?: string, deciding = false): Registration | undefined {
    const registrants = this.#functions.get(id, namespace);
    if (registrants === undefined) return undefined;
    const able = deciding ? registrants.filter(({ mayDecide }) => mayDecide) : registrants;
    const preferred = preferWorker === undefined ? undefined : able.find((other) => other.owner.workerId === preferWorker);
    return preferred ?? able.at(-1);
  }

  /** The namespace whose worker registered the id last. */
  newestNamespace(id: string): string | undefined {
    let newest: Registration | undefined;
    for (const registrants of this.#functions.valuesOf(id)) {
      const server = registrants.at(-1) as Registration;
      if (newest === undefined || this.#serialOf(server) > this.#serialOf(newest)) newest = server;
    }
    return newest?.namespace;
  }

  /** Namespaces in which the id is registered. */
  namespacesOf(id: string): string[] {
    return Array.from(this.#functions.valuesOf(id), (registrants) => (registrants.at(-1) as Registration).namespace).sort();
  }

  /** Namespaces that have functions of workers, and the default one. */
  namespaces(): string[] {
    return [...new Set([DEFAULT_NAMESPACE, ...this.#namespaces.keys()])].sort();
  }

  /** Ids of the workers that have registered the function. */
  owners(id: string, namespace = DEFAULT_NAMESPACE): readonly string[] {
    return this.#functions.get(id, namespace)?.map(({ owner }) => owner.workerId) ?? [];
  }

  has(id: string, namespace = DEFAULT_NAMESPACE): boolean {
    return this.#builtins.has(id) || this.#functions.get(id, namespace) !== undefined;
  }

  /** Serving registrations and built-ins, sorted by id, then by namespace. */
  list(): (Registration | Builtin)[] {
    const rows: (Registration | Builtin)[] = [...this.#builtins.values()];
    for (const registrants of this.#functions.values()) rows.push(registrants.at(-1) as Registration);
    return rows.sort((a, b) => compare(a.id, b.id) || compare(namespaceOf(a), namespaceOf(b)));
  }

  #set(id: string, namespace: string, registrants: Registration[]): void {
    const known = this.#functions.get(id, namespace) !== undefined;
    if (registrants.length > 0) this.#functions.set(id, namespace, registrants);
    else this.#functions.delete(id, namespace);
    const change = Number(registrants.length > 0) - Number(known);
    const ids = (this.#namespaces.get(namespace) ?? 0) + change;
    if (ids > 0) this.#namespaces.set(namespace, ids);
    else this.#namespaces.delete(namespace);
  }

  #serialOf(registration: Registration): number {
    return this.#serials.get(registration) ?? 0;
  }

  #notifyServed(id: string): void {
    for (const listener of this.#onServed) listener(id);
  }
}

/** Built-ins stand in the default namespace. */
export function namespaceOf(entry: Registration | Builtin): string {
  return 'owner' in entry ? entry.namespace : DEFAULT_NAMESPACE;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
