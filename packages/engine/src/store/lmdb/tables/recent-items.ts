import type { ItemRecord } from './records.js';

/** Items that one generation keeps at most, and the UTF-16 code units of their values. */
const GENERATION_ITEMS = 2_048;
const GENERATION_CHARS = 1_048_576;
/** Longer values are not kept, in UTF-16 code units. */
const LONGEST_VALUE = 4_096;

/** The items of one generation, by the number of their group. */
class Generation {
  readonly #groups = new Map<number, Map<string, ItemRecord>>();
  #items = 0;
  #chars = 0;

  /** Values were added until a bound was reached. A removed item still counts. */
  get isFull(): boolean {
    return this.#items >= GENERATION_ITEMS || this.#chars >= GENERATION_CHARS;
  }

  get(group: number, item: string): ItemRecord | undefined {
    return this.#groups.get(group)?.get(item);
  }

  set(group: number, item: string, record: ItemRecord): void {
    let items = this.#groups.get(group);
    if (items === undefined) {
      items = new Map();
      this.#groups.set(group, items);
    }
    const before = items.get(item);
    if (before === undefined) this.#items++;
    this.#chars += record.data.length - (before?.data.length ?? 0);
    items.set(item, record);
  }

  delete(group: number, item: string): void {
    this.#groups.get(group)?.delete(item);
  }
}

/**
 * The live items that were written or read for a write lately, as the last durable transaction left them. A write needs the value before
 * it, and most writers change the same items again and again: then nothing is read from the table.
 *
 * There are two generations. When the young one is full, it becomes the old one, and the old one is dropped. An item that is used moves to
 * the young one. Only the writer may use this class, because readers have views of their own.
 */
export class RecentItems {
  #young = new Generation();
  #old = new Generation();

  /** Returns an item as the table has it; `undefined` when only the table knows. */
  get(group: number, item: string): ItemRecord | undefined {
    const young = this.#young.get(group, item);
    if (young !== undefined) return young;
    const old = this.#old.get(group, item);
    if (old !== undefined) this.#keep(group, item, old);
    return old;
  }

  /** Takes over the record of an item from a durable transaction. `undefined`: the item was deleted. */
  set(group: number, item: string, record: ItemRecord | undefined): void {
    if (record !== undefined && isKept(record)) return this.#keep(group, item, record);
    this.#young.delete(group, item);
    this.#old.delete(group, item);
  }

  #keep(group: number, item: string, record: ItemRecord): void {
    if (this.#young.isFull) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.set(group, item, record);
  }
}

/** The record of a leased item changes without a write when its run has ended, so it is not kept. */
function isKept({ live, expiry, data }: ItemRecord): boolean {
  return live && expiry?.kind !== 'held' && data.length <= LONGEST_VALUE;
}
