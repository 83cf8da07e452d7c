import type { JsonText } from '@rivulet/protocol';
import { bytesOf } from '../../shared/group-bounds.js';
import { valueIdOf } from '../../shared/value-id.js';
import type { Expiry } from '../../store.js';
import type { RecentItems } from '../tables/recent-items.js';
import {
  encodeItem,
  encodeText,
  encodeVersion,
  expiryKey,
  type Head,
  type ItemRecord,
  itemKey,
  LAST_NUMBER,
  numbersKey,
  type RecordedExpiry,
} from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import type { StagedHead } from './staged-heads.js';
import { UnwrittenItems } from './unwritten-items.js';

/** A value from which on its tombstone is so much smaller that a page of tombstones is mostly empty, in UTF-16 code units. */
const LARGE_CHARS = 64;

/** The time of a batch. */
export interface Moment {
  /** Wall clock in Unix milliseconds, for timestamps and tombstones. */
  readonly now: number;
  /** Unix milliseconds without the jumps of the wall clock, for times to live. */
  readonly steady: number;
}

/** An item before and after a change, as `ItemWriter` stores it. */
interface Written {
  readonly item: string;
  readonly data: JsonText;
  /** Offset of the change. */
  readonly offset: number;
  readonly expiry: RecordedExpiry | undefined;
  /** The record that the change replaces; it may be a tombstone. */
  readonly before: ItemRecord | undefined;
}

/**
 * Writes items to the five tables that describe them: the value, the order of creation, the order of changes, tombstones and times to live.
 * All methods run inside a transaction.
 *
 * The value of an item and its place in the order of changes may wait in memory until `flush`. A later change of the same batch then
 * replaces them for nothing. All other tables change at once.
 */
export class ItemWriter {
  readonly #tables: Tables;
  readonly #moment: Moment;
  readonly #run: number;
  readonly #recent: RecentItems;
  readonly #unwritten = new UnwrittenItems();
  /** The last records that the batch has written to the table of values. `undefined`: the item is deleted. */
  readonly #written = new Map<StagedHead, Map<string, ItemRecord | undefined>>();
  /** The earliest time at which an item of this batch expires, in Unix milliseconds; infinite when none does. */
  firstExpiry = Number.POSITIVE_INFINITY;
  /** The batch leased an item, so the number of this run must be stored. */
  hasLeases = false;

  /** `run` counts the starts of the store; a leased item remembers the run in which it was leased. */
  constructor(tables: Tables, moment: Moment, run: number, recent: RecentItems) {
    this.#tables = tables;
    this.#moment = moment;
    this.#run = run;
    this.#recent = recent;
  }

  /** Returns the last record of an item if it is in memory; `undefined` when the table has it. */
  inMemory(staged: StagedHead, item: string): ItemRecord | undefined {
    const waiting = this.#unwritten.get(staged, item);
    if (waiting !== undefined || this.#written.get(staged)?.has(item) === true) return waiting;
    return this.#recent.get(staged.head.number, item);
  }

  /** Writes a value, or keeps it until `flush`, and returns the offset at which its item was created. */
  write(staged: StagedHead, { item, data, offset, expiry, before }: Written): number {
    const { head } = staged;
    const waited = this.#unwritten.delete(staged, item);
    if (!waited) this.#removeVersion(staged, before);
    const created = before?.live === true ? before.created : offset;
    if (created === offset) {
      const place = numbersKey(head.number, created);
      this.#tables.order.put(place, encodeText(place, item));
      head.items++;
    }
    countBytes(head, item, data, before);
    this.#index(staged, item, created, before?.expiry, expiry);
    this.#put(staged, item, { live: true, created, changed: offset, expiry, data });
    return created;
  }

  /** Writes all values that wait. Call it as the last step of a batch. */
  flush(): void {
    this.#unwritten.drain((staged, item, record) => this.#putNow(staged, item, record));
  }

  /** Remembers what the batch has written. Call it when the transaction is durable. */
  commitItems(): void {
    for (const [{ head }, items] of this.#written) for (const [item, record] of items) this.#recent.set(head.number, item, record);
  }

  #put(staged: StagedHead, item: string, record: ItemRecord): void {
    if (!UnwrittenItems.takes(record.data)) return this.#putNow(staged, item, record);
    if (this.#unwritten.isFull) this.flush();
    this.#unwritten.set(staged, item, record);
  }

  #putNow(staged: StagedHead, item: string, record: ItemRecord): void {
    const { head } = staged;
    const key = itemKey(head.number, item);
    this.#tables.items.put(key, encodeItem(key, record));
    this.#hasWritten(staged, item, record);
    const version = numbersKey(head.number, record.changed);
    this.#tables.versions.put(version, encodeVersion(version, { live: true, created: record.created, item, valueId: undefined }));
  }

  /** Deletes an item and returns the offset at which it was created. `data` is the deleted value. */
  writeTombstone(staged: StagedHead, { item, data, offset, before }: Omit<Written, 'expiry'>): number {
    const { head } = staged;
    const waited = this.#unwritten.delete(staged, item);
    if (!waited) this.#removeVersion(staged, before);
    const created = before?.created ?? offset;
    countBytes(head, item, undefined, before);
    this.#index(staged, item, created, before?.expiry, undefined);
    this.#tables.order.remove(numbersKey(head.number, created));
    head.items--;
    const key = itemKey(head.number, item);
    // LMDB joins pages that are mostly empty, but only when a record is removed. A smaller record in its place keeps the page as it is.
    if (before !== undefined && before.data.length >= LARGE_CHARS) this.#tables.items.remove(key);
    this.#tables.items.put(key, encodeItem(key, { live: false, created, changed: offset, expiry: undefined, data: '' }));
    this.#hasWritten(staged, item, undefined);
    const version = numbersKey(head.number, offset);
    this.#tables.versions.put(version, encodeVersion(version, { live: false, created, item, valueId: valueIdOf(data) }));
    const grave = numbersKey(this.#moment.now, head.number, offset);
    this.#tables.tombstones.put(grave, encodeText(grave, `${staged.stream}\u0000${staged.group}`));
    return created;
  }

  /** Gives an item another time to live and leaves its value as it is: the item takes no offset. */
  renew(staged: StagedHead, item: string, before: ItemRecord, expiry: RecordedExpiry | undefined): void {
    const record = { ...before, expiry };
    this.#index(staged, item, before.created, before.expiry, expiry);
    if (this.#unwritten.get(staged, item) !== undefined) return this.#unwritten.set(staged, item, record);
    const key = itemKey(staged.head.number, item);
    this.#tables.items.put(key, encodeItem(key, record));
    this.#hasWritten(staged, item, record);
  }

  /** Returns the form in which an expiry is stored. */
  recorded(expiry: Expiry | { readonly kind: 'age'; readonly ms: number }): RecordedExpiry {
    if (expiry.kind === 'held') {
      this.hasLeases = true;
      return { kind: 'held', run: this.#run, graceMs: expiry.graceMs };
    }
    const at = Math.min(this.#moment.steady + expiry.ms, LAST_NUMBER - 1);
    this.firstExpiry = Math.min(this.firstExpiry, at);
    return expiry.kind === 'age' ? { kind: 'ttl', at, isByAge: true } : { kind: 'ttl', at };
  }

  #hasWritten(staged: StagedHead, item: string, record: ItemRecord | undefined): void {
    let items = this.#written.get(staged);
    if (items === undefined) {
      items = new Map();
      this.#written.set(staged, items);
    }
    items.set(item, record);
  }

  #removeVersion(staged: StagedHead, before: ItemRecord | undefined): void {
    if (before !== undefined) this.#tables.versions.remove(numbersKey(staged.head.number, before.changed));
  }

  #index(
    { stream, group, head }: StagedHead,
    item: string,
    created: number,
    before: RecordedExpiry | undefined,
    after: RecordedExpiry | undefined,
  ): void {
    if (before === after) return;
    if (before !== undefined) this.#tables.expiries.remove(expiryKey(before, head.number, created));
    if (after === undefined) return;
    const place = expiryKey(after, head.number, created);
    this.#tables.expiries.put(place, encodeText(place, `${stream}\u0000${group}\u0000${item}`));
  }
}

/** Counts a change of an item, if the head counts bytes. The size of a damaged item is not known, so the next write counts all items. */
function countBytes(head: Head, item: string, after: JsonText | undefined, before: ItemRecord | undefined): void {
  if (head.bytes === undefined) return;
  if (before?.isLost === true) head.bytes = undefined;
  else head.bytes += (after === undefined ? 0 : bytesOf(item, after)) - (before?.live === true ? bytesOf(item, before.data) : 0);
}
