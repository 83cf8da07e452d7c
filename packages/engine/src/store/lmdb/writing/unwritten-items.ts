import type { ItemRecord } from '../tables/records.js';
import type { StagedHead } from './staged-heads.js';

/** Items that wait at most. Writing them takes about a millisecond, so the last of them barely lengthen the transaction. */
const MOST_ITEMS = 256;
/** Longer values are written at once, in UTF-16 code units. Otherwise the last step of a transaction would take too long. */
const LONGEST_VALUE = 4_096;

/**
 * Values that a batch has decided and not written to the transaction yet. Writers change some items many times in one batch, and only the
 * last value of each must reach the tables. Reads of the same batch look here first.
 */
export class UnwrittenItems {
  readonly #groups = new Map<StagedHead, Map<string, ItemRecord>>();
  #count = 0;

  /** Returns whether a value may wait. */
  static takes(data: string): boolean {
    return data.length <= LONGEST_VALUE;
  }

  /** The items must be written before another one may wait. */
  get isFull(): boolean {
    return this.#count >= MOST_ITEMS;
  }

  get(staged: StagedHead, item: string): ItemRecord | undefined {
    return this.#groups.get(staged)?.get(item);
  }

  /** Replaces the value of the item that waits. */
  set(staged: StagedHead, item: string, record: ItemRecord): void {
    let group = this.#groups.get(staged);
    if (group === undefined) {
      group = new Map();
      this.#groups.set(staged, group);
    }
    const before = group.size;
    group.set(item, record);
    this.#count += group.size - before;
  }

  /** Removes an item. Returns whether its value waited. */
  delete(staged: StagedHead, item: string): boolean {
    const waited = this.#groups.get(staged)?.delete(item) === true;
    if (waited) this.#count--;
    return waited;
  }

  /** Removes all items and hands each to `write`. */
  drain(write: (staged: StagedHead, item: string, record: ItemRecord) => void): void {
    for (const [staged, items] of this.#groups) for (const [item, record] of items) write(staged, item, record);
    this.#groups.clear();
    this.#count = 0;
  }
}
