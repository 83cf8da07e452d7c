/** Names that a session gave, and the ids under which what they name is registered. */
export class NameMap {
  readonly #registered = new Map<string, string>();
  readonly #given = new Map<string, string>();

  add(given: string, registered: string): void {
    this.forget(given);
    this.#registered.set(given, registered);
    this.#given.set(registered, given);
  }

  has(registered: string): boolean {
    return this.#given.has(registered);
  }

  registered(given: string): string | undefined {
    return this.#registered.get(given);
  }

  /** The id itself when the session gave it no name. */
  given(registered: string): string {
    return this.#given.get(registered) ?? registered;
  }

  /** Answers the id under which it was registered; `undefined` when it was not, or was taken over by another name since. */
  forget(given: string): string | undefined {
    const registered = this.#registered.get(given);
    if (registered === undefined) return undefined;
    this.#registered.delete(given);
    if (this.#given.get(registered) !== given) return undefined;
    this.#given.delete(registered);
    return registered;
  }
}
