import type { JsonText } from '@rivulet/protocol';
import { valueIdOf } from '../../shared/value-id.js';
import type { Expiry } from '../../store.js';
import {
  encodeItem,
  encodeText,
  encodeVersion,
  expiryKey,
  type ItemRecord,
  itemKey,
  LAST_NUMBER,
  numbersKey,
  type RecordedExpiry,
} from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import type { StagedHead } from './staged-heads.js';

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
 */
export class ItemWriter {
  readonly #tables: Tables;
  readonly #moment: Moment;
  readonly #run: number;
  /** The earliest time at which an item of this batch expires, in Unix milliseconds; infinite when none does. */
  firstExpiry = Number.POSITIVE_INFINITY;
  /** The batch leased an item, so the number of this run must be stored. */
  hasLeases = false;

  /** `run` counts the starts of the store; a leased item remembers the run in which it was leased. */
  constructor(tables: Tables, moment: Moment, run: number) {
    this.#tables = tables;
    this.#moment = moment;
    this.#run = run;
  }

  /** Writes a value and returns the offset at which its item was created. */
  write(staged: StagedHead, key: Buffer, { item, data, offset, expiry, before }: Written): number {
    const { head } = staged;
    this.#removeVersion(staged, before);
    const created = before?.live === true ? before.created : offset;
    if (created === offset) {
      const place = numbersKey(head.number, created);
      this.#tables.order.put(place, encodeText(place, item));
      head.items++;
    }
    this.#index(staged, item, created, before?.expiry, expiry);
    this.#tables.items.put(key, encodeItem(key, { live: true, created, changed: offset, expiry, data }));
    const version = numbersKey(head.number, offset);
    this.#tables.versions.put(version, encodeVersion(version, { live: true, created, item, valueId: undefined }));
    return created;
  }

  /** Deletes an item and returns the offset at which it was created. `data` is the deleted value. */
  writeTombstone(staged: StagedHead, key: Buffer, { item, data, offset, before }: Omit<Written, 'expiry'>): number {
    const { head } = staged;
    this.#removeVersion(staged, before);
    const created = before?.created ?? offset;
    this.#index(staged, item, created, before?.expiry, undefined);
    this.#tables.order.remove(numbersKey(head.number, created));
    head.items--;
    this.#tables.items.put(key, encodeItem(key, { live: false, created, changed: offset, expiry: undefined, data: '' }));
    const version = numbersKey(head.number, offset);
    this.#tables.versions.put(version, encodeVersion(version, { live: false, created, item, valueId: valueIdOf(data) }));
    const grave = numbersKey(this.#moment.now, head.number, offset);
    this.#tables.tombstones.put(grave, encodeText(grave, `${staged.stream}\u0000${staged.group}`));
    return created;
  }

  /** Gives an item another time to live and leaves its value as it is: the item takes no offset. */
  renew(staged: StagedHead, item: string, before: ItemRecord, expiry: Expiry): void {
    const recorded = this.recorded(expiry);
    const key = itemKey(staged.head.number, item);
    this.#index(staged, item, before.created, before.expiry, recorded);
    this.#tables.items.put(key, encodeItem(key, { ...before, expiry: recorded }));
  }

  /** Returns the form in which an expiry is stored. */
  recorded(expiry: Expiry): RecordedExpiry {
    if (expiry.kind === 'held') {
      this.hasLeases = true;
      return { kind: 'held', run: this.#run, graceMs: expiry.graceMs };
    }
    const at = Math.min(this.#moment.steady + expiry.ms, LAST_NUMBER - 1);
    this.firstExpiry = Math.min(this.firstExpiry, at);
    return { kind: 'ttl', at };
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
