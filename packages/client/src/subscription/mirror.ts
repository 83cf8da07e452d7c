/** One item of a group as the client holds it. The object never changes. A change of the item makes a new object. */
export interface Item<T> {
  readonly id: string;
  readonly data: T;
  /**
   * The offset at which the item was created. Items are sorted by it. With a server without positions, the client counts the items itself.
   */
  readonly created: number;
  /** The offset of the last change that the client knows. */
  readonly offset: number;
  /** Set while a pending call has changed the item, so that the server may not have this data. */
  readonly pending?: true;
}

const NONE: readonly never[] = [];

/**
 * The items of one target in the order of creation. The cost of a change does not depend on the number of items. The array is built when it
 * is read, once for each state.
 */
export class Mirror<T> {
  #items = new Map<string, Item<T>>();
  #array: readonly Item<T>[] | undefined = NONE;
  /** Whether the map has the order of creation. If not, `#build` sorts it. */
  #ordered = true;
  #newest = -1;

  get size(): number {
    return this.#items.size;
  }

  get(id: string): Item<T> | undefined {
    return this.#items.get(id);
  }

  /** The same array until an item changes. */
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
    // The item was deleted and created again in between, so it moves to the place of the new item.
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
