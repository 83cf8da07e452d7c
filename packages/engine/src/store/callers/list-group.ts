import { type JsonText, type Position, RivuletError } from '@rivulet/protocol';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import { isValidId } from '../shared/ids.js';
import type { GroupRef, Snapshot, StoredItem, StreamStore } from '../store.js';

export interface ListOptions {
  /** Returns the row of an item as JSON. */
  readonly row: (item: StoredItem, position: Position) => JsonText;
  /** Items of the page. `undefined`: all items, or RESULT_TOO_LARGE. */
  readonly limit: number | undefined;
  /** The page begins behind this item in the order of creation; `undefined`: at the first item. */
  readonly after: string | undefined;
  /** The largest answer in bytes. A page ends before it would be larger. */
  readonly maxBytes: number;
  /** The bytes above which a page ends that has an item. @default maxBytes */
  readonly fullBytes?: number;
  /** Chooses items. @default all items */
  readonly search?: ItemSearch;
}

/** A search through the items of a group. Its page ends when it has read enough, and may be short or empty then. */
export interface ItemSearch {
  readonly wants: (item: StoredItem) => boolean;
  /** The items that one page reads. */
  readonly mostItems: number;
  /** The UTF-16 code units of the items that one page reads. It reads at least one item. */
  readonly mostChars: number;
}

export interface Listing {
  /** The rows as a JSON array. */
  readonly rows: JsonText;
  /** The position of the group. */
  readonly position: Position;
  /** The last item of the page when the list goes on; `undefined` at its end. */
  readonly next: string | undefined;
}

/**
 * Reads a page of the items of a group in the order of creation, from one consistent view. The event loop turns meanwhile. Rejects with
 * INVALID_ARGUMENTS when `after` names no item, and with RESULT_TOO_LARGE.
 */
export async function listGroup(store: StreamStore, ref: GroupRef, options: ListOptions): Promise<Listing> {
  const turns = TurnBudget.of(systemClock);
  await turns.free();
  const { snapshot, skipTo } = await begin(store, ref, options.after);
  const { position } = snapshot;
  const page = new Page(options, position, skipTo);
  try {
    for await (const chunk of snapshot.chunks()) {
      if (!page.take(chunk)) break;
      await turns.free();
    }
  } finally {
    snapshot.close();
  }
  if (!page.begun) throw missing();
  await turns.pay(page.bytes);
  return { rows: `[${page.rows.join(',')}]`, position, next: page.next };
}

interface Begun {
  readonly snapshot: Snapshot;
  /** The item behind which the page begins, when the snapshot also has the items before it. */
  readonly skipTo: string | undefined;
}

async function begin(store: StreamStore, ref: GroupRef, after: string | undefined): Promise<Begun> {
  // A text that is no id names no item, and a store may not accept it as a key.
  if (after !== undefined && !isValidId(after)) throw missing();
  if (after === undefined || store.snapshotAfter === undefined) return { snapshot: await store.snapshot(ref), skipTo: after };
  const snapshot = await store.snapshotAfter(ref, after);
  if (snapshot === undefined) throw missing();
  return { snapshot, skipTo: undefined };
}

class Page {
  readonly rows: JsonText[] = [];
  next: string | undefined;
  begun: boolean;
  readonly #options: ListOptions;
  readonly #position: Position;
  readonly #skipTo: string | undefined;
  /** The last item that was read. */
  #last: string | undefined;
  #readItems = 0;
  #readChars = 0;
  bytes = 2;

  constructor(options: ListOptions, position: Position, skipTo: string | undefined) {
    this.#options = options;
    this.#position = position;
    this.#skipTo = skipTo;
    this.begun = skipTo === undefined;
  }

  /** Adds items to the page. Returns false when it is full. Throws RESULT_TOO_LARGE. */
  take(items: readonly StoredItem[]): boolean {
    const { row, limit, maxBytes, fullBytes = maxBytes, search } = this.#options;
    for (const item of items) {
      if (!this.begun) {
        this.begun = item.item === this.#skipTo;
        continue;
      }
      if (this.rows.length === limit) return this.#full();
      if (search !== undefined) {
        if (this.#readItems >= search.mostItems || this.#readChars >= search.mostChars) return this.#full();
        this.#readItems++;
        this.#readChars += item.data.length;
        if (!search.wants(item)) {
          this.#last = item.item;
          continue;
        }
      }
      const text = row(item, this.#position);
      const bytes = this.bytes + Buffer.byteLength(text) + 1;
      if (bytes > fullBytes + 1 && limit !== undefined && this.rows.length > 0) return this.#full();
      if (bytes > maxBytes + 1) throw tooLarge(maxBytes);
      this.bytes = bytes;
      this.rows.push(text);
      this.#last = item.item;
    }
    return true;
  }

  #full(): false {
    this.next = this.#last;
    return false;
  }
}

function missing(): RivuletError {
  return new RivuletError('INVALID_ARGUMENTS', 'after names nothing that is in the list');
}

function tooLarge(maxBytes: number): RivuletError {
  return new RivuletError(
    'RESULT_TOO_LARGE',
    `the list is larger than the caller's message limit of ${maxBytes} bytes; page it with limit and after`,
  );
}
