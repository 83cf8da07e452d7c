/** One item of a group as the client holds it. Never changed: a change makes a new one. */
export interface Item<T> {
  readonly id: string;
  readonly data: T;
  /** Offset of its creation: items are ordered by it. A count of the client's own with servers that have no positions. */
  readonly created: number;
  /** Offset of its last change that the client knows of. */
  readonly offset: number;
}

const NONE: readonly never[] = [];

/**
 * The items of one target in the order of creation. A change costs the same whatever the size; the array is built when it is read, once per
 * state.
 */
export class Mirror<T> {
  #items = new Map<string, Item<T>>();
  #array: readonly Item<T>[] | undefined = NONE;
  /** Whether the order of the map is that of creation. */
  #ordered = true;
  #newest = -1;

  get size(): number {
    return this.#items.size;
  }

  get(id: string): Item<T> | undefined {
    return this.#items.get(id);
  }

  /** The same array until something changes. */
  get items(): readonly Item<T>[] {
    this.#array ??= this.#build();
    return this.#array;
  }

  set(item: Item<T>): void {
    this.#array = undefined;
    const old = this.#items.get(item.id);
    if (old?.created === item.created) {
      this.#items.set(item.id, item);
      return;
    }
    // Deleted and created anew meanwhile: its place is that of the new one.
    if (old !== undefined) this.#items.delete(item.id);
    this.#items.set(item.id, item);
    if (item.created < this.#newest) this.#ordered = false;
    else this.#newest = item.created;
  }

  delete(id: string): void {
    if (this.#items.delete(id)) this.#array = undefined;
  }

  clear(): void {
    this.#items = new Map();
    this.#array = NONE;
    this.#ordered = true;
    this.#newest = -1;
  }

  #build(): readonly Item<T>[] {
    const items = [...this.#items.values()];
    if (this.#ordered) return items;
    items.sort((a, b) => a.created - b.created);
    this.#items = new Map(items.map((item) => [item.id, item]));
    this.#ordered = true;
    return items;
  }
}
