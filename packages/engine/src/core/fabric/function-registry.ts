import { PairMap } from '../../structures/pair-map.js';
import type { BuiltinContract } from '../contracts/builtin-contract.js';
import type { PendingCall } from './fabric.js';
import type { BuiltinHandler, Call, Outcome } from './invocation.js';

/** A connected worker that runs functions for others. */
export interface FunctionOwner {
  readonly workerId: string;
  /** Sends a call to the worker. `done` runs once, unless the call is cancelled first. */
  dispatch(call: Call, done: (outcome: Outcome) => void): PendingCall;
  /** Runs when a trusted worker registers a function that this guest serves. The guest must unregister it before this returns. */
  displaced(id: string): void;
}

/** Namespace of workers that announce none, and of auth functions, hooks and middleware. */
export const DEFAULT_NAMESPACE = 'default';

export interface Registration {
  readonly id: string;
  /** Namespace of the worker. Only calls into this namespace find the function. */
  readonly namespace: string;
  readonly owner: FunctionOwner;
  readonly description: string | null;
  readonly requestFormat: unknown;
  readonly responseFormat: unknown;
  readonly metadata: unknown;
  /** True for a function that should be invoked over HTTP. This engine does not do that. */
  readonly httpInvoked: boolean;
  /** True for a registration of a guest. It never stands beside a registration of a trusted worker. */
  readonly guest: boolean;
  /** True when the function may answer calls that decide about others. The worker is trusted, or its `allowed_functions` name the id. */
  readonly mayDecide: boolean;
}

export interface Builtin {
  readonly id: string;
  readonly handler: BuiltinHandler;
  readonly description: string;
  readonly contract: BuiltinContract | undefined;
}

/**
 * Registered functions, by id and namespace. The worker that registered an id last serves it. When it leaves, the newest remaining
 * registration serves (spec WP §1.7). Workers can't shadow built-ins, which every namespace finds.
 */
export class FunctionRegistry {
  readonly #builtins = new Map<string, Builtin>();
  /** Registrations by id and namespace. The serving one is last. No list is empty. */
  readonly #functions = new PairMap<Registration[]>();
  /** Count of ids in each namespace. */
  readonly #namespaces = new Map<string, number>();
  /** Numbers of the registrations, in the order in which workers made them. */
  readonly #serials = new WeakMap<Registration, number>();
  #serial = 0;
  readonly #onChange: () => void;
  readonly #onServed: ((id: string) => void)[] = [];

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /**
   * Calls `listener` when another worker than before serves an id in a namespace, but not when no worker serves it any more. `listener`
   * must not throw.
   */
  onServed(listener: (id: string) => void): void {
    this.#onServed.push(listener);
  }

  addBuiltin(builtin: Builtin): void {
    if (this.#builtins.has(builtin.id)) throw new Error(`built-in ${builtin.id} is registered twice`);
    this.#builtins.set(builtin.id, builtin);
  }

  /** Number of functions of the engine, and of functions that workers serve now. */
  get size(): number {
    return this.#builtins.size + this.#functions.size;
  }

  builtin(id: string): Builtin | undefined {
    return this.#builtins.get(id);
  }

  /**
   * Adds a registration. `shadows`: the id belongs to the engine, and nothing changes. `took_over`: another connected worker served the id
   * until now.
   */
  register(registration: Registration): 'registered' | 'took_over' | 'shadows' {
    const { id, namespace, owner, guest } = registration;
    if (id.startsWith('engine::') || this.#builtins.has(id)) return 'shadows';
    const current = guest ? [] : (this.#functions.get(id, namespace) ?? []);
    for (const other of current) if (other.guest) other.owner.displaced(id);
    const before = this.#functions.get(id, namespace);
    const others = before?.filter((other) => other.owner !== owner && (guest || !other.guest)) ?? [];
    const server = before?.at(-1)?.owner;
    this.#set(id, namespace, [...others, registration]);
    this.#serials.set(registration, ++this.#serial);
    this.#onChange();
    if (server !== owner) this.#notifyServed(id);
    return server === undefined || server === owner ? 'registered' : 'took_over';
  }

  /** Removes the registration of this owner and returns it. */
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

  /**
   * Returns the registration that serves the id in the namespace now. A registration of `preferWorker` goes first. `deciding` is that of
   * `Call`.
   */
  find(id: string, namespace = DEFAULT_NAMESPACE, preferWorker?: string, deciding = false): Registration | undefined {
    const registrants = this.#functions.get(id, namespace);
    if (registrants === undefined) return undefined;
    const able = deciding ? registrants.filter(({ mayDecide }) => mayDecide) : registrants;
    const preferred = preferWorker === undefined ? undefined : able.find((other) => other.owner.workerId === preferWorker);
    return preferred ?? able.at(-1);
  }

  /** Returns the namespace whose worker registered the id last. */
  newestNamespace(id: string): string | undefined {
    let newest: Registration | undefined;
    for (const registrants of this.#functions.valuesOf(id)) {
      const server = registrants.at(-1) as Registration;
      if (newest === undefined || this.#serialOf(server) > this.#serialOf(newest)) newest = server;
    }
    return newest?.namespace;
  }

  /** Returns the namespaces in which the id is registered, sorted. */
  namespacesOf(id: string): string[] {
    return Array.from(this.#functions.valuesOf(id), (registrants) => (registrants.at(-1) as Registration).namespace).sort();
  }

  /** Returns the namespaces with functions of workers, and `default`, sorted. */
  namespaces(): string[] {
    return [...new Set([DEFAULT_NAMESPACE, ...this.#namespaces.keys()])].sort();
  }

  /** Returns the ids of the workers that have registered the function. */
  owners(id: string, namespace = DEFAULT_NAMESPACE): readonly string[] {
    return this.#functions.get(id, namespace)?.map(({ owner }) => owner.workerId) ?? [];
  }

  has(id: string, namespace = DEFAULT_NAMESPACE): boolean {
    return this.#builtins.has(id) || this.#functions.get(id, namespace) !== undefined;
  }

  /** Returns whether the engine or a trusted worker serves the id. Guests may choose any number of ids. */
  isOfTrusted(id: string, namespace = DEFAULT_NAMESPACE): boolean {
    return this.#builtins.has(id) || this.#functions.get(id, namespace)?.at(-1)?.guest === false;
  }

  /** Returns serving registrations and built-ins, sorted by id and then by namespace. */
  list(): (Registration | Builtin)[] {
    return [...this.entries()].sort((a, b) => compare(a.id, b.id) || compare(namespaceOf(a), namespaceOf(b)));
  }

  /** Yields serving registrations and built-ins, in no order. The registry may change during the iteration. */
  *entries(): IterableIterator<Registration | Builtin> {
    yield* this.#builtins.values();
    for (const registrants of this.#functions.values()) yield registrants.at(-1) as Registration;
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

/** Returns the namespace of an entry. Built-ins belong to the default namespace. */
export function namespaceOf(entry: Registration | Builtin): string {
  return 'owner' in entry ? entry.namespace : DEFAULT_NAMESPACE;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
