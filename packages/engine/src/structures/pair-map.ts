const NOTHING: readonly never[] = [];

/**
 * A map with two strings as its key. It never joins the strings, so no value can imitate another key with a separator, and a look-up
 * allocates nothing.
 */
export class PairMap<V> {
  readonly #outer = new Map<string, Map<string, V>>();
  #size = 0;

  /** Number of pairs. */
  get size(): number {
    return this.#size;
  }

  get(first: string, second: string): V | undefined {
    return this.#outer.get(first)?.get(second);
  }

  set(first: string, second: string, value: V): void {
    let inner = this.#outer.get(first);
    if (inner === undefined) {
      inner = new Map();
      this.#outer.set(first, inner);
    }
    if (!inner.has(second)) this.#size++;
    inner.set(second, value);
  }

  /** Returns whether the pair existed. */
  delete(first: string, second: string): boolean {
    const inner = this.#outer.get(first);
    if (inner === undefined || !inner.delete(second)) return false;
    this.#size--;
    if (inner.size === 0) this.#outer.delete(first);
    return true;
  }

  /** Returns the values whose keys begin with `first`. */
  valuesOf(first: string): Iterable<V> {
    return this.#outer.get(first)?.values() ?? NOTHING;
  }

  *values(): IterableIterator<V> {
    for (const inner of this.#outer.values()) yield* inner.values();
  }
}
