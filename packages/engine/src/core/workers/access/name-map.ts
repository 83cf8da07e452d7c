import type { TriggerBinding } from '../../fabric/fabric.js';

export type NameKind = 'function' | 'trigger' | 'trigger type';

/** The names in a trigger binding. */
export type BindingNames = Pick<TriggerBinding, 'id' | 'type' | 'functionId'>;

interface Names {
  /** Registered ids by given names. */
  readonly registered: Map<string, string>;
  /** Given names by registered ids. */
  readonly given: Map<string, string>;
}

const newNames = (): Names => ({ registered: new Map(), given: new Map() });

/**
 * The names that one session gave to its registrations, and the ids under which the engine registered them. A hook or a prefix of the auth
 * answer may change a name. The session never learns the changed one.
 *
 * The map of a trusted session stays empty: each id is its own name.
 */
export class NameMap {
  readonly #names: Readonly<Record<NameKind, Names>> = { function: newNames(), trigger: newNames(), 'trigger type': newNames() };

  /** Adds a pair. It replaces the pair that had this given name. */
  add(kind: NameKind, given: string, registered: string): void {
    this.forget(kind, given);
    this.#names[kind].registered.set(given, registered);
    this.#names[kind].given.set(registered, given);
  }

  /** Returns the id that is registered under a given name; `undefined` when the session gave no such name. */
  registered(kind: NameKind, given: string): string | undefined {
    return this.#names[kind].registered.get(given);
  }

  /** Returns the name that the session gave to a registered id, or the id itself. */
  given(kind: NameKind, registered: string): string {
    return this.#names[kind].given.get(registered) ?? registered;
  }

  /** Returns a binding under the names that the session gave. The session knows the target of its own triggers only. */
  binding<Binding extends BindingNames>(binding: Binding): Binding {
    const isOwn = this.#names.trigger.given.has(binding.id);
    return {
      ...binding,
      id: this.given('trigger', binding.id),
      type: this.given('trigger type', binding.type),
      functionId: isOwn ? this.given('function', binding.functionId) : binding.functionId,
    };
  }

  /** Removes a given name and returns its registered id; `undefined` when there is none, or when another name has taken over the id. */
  forget(kind: NameKind, given: string): string | undefined {
    const names = this.#names[kind];
    const registered = names.registered.get(given);
    if (registered === undefined) return undefined;
    names.registered.delete(given);
    if (names.given.get(registered) !== given) return undefined;
    names.given.delete(registered);
    return registered;
  }
}
