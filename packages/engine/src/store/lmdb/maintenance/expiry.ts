import type { Change } from '../../store.js';
import type { View } from '../env/environment.js';
import {
  decodeItem,
  decodeText,
  encodeItem,
  encodeText,
  expiryKey,
  type ItemRecord,
  isDamage,
  itemKey,
  LAST_NUMBER,
  numberAt,
  numbersKey,
  type RecordedExpiry,
} from '../tables/records.js';
import type { Tables } from '../tables/tables.js';

/** Items that one slice deletes, or releases. */
export const EXPIRED_AT_ONCE = 1_000;

type Delete = Extract<Change, { kind: 'delete' }>;

export interface DueItems {
  /** Expired items whose record confirms the index, in order of their time. */
  readonly items: readonly { readonly place: Buffer; readonly change: Delete }[];
  /** Keys of index entries without an item. */
  readonly stray: readonly Buffer[];
  /** Number of entries that are damaged, or that stand for a damaged record. */
  readonly damaged: number;
}

/** The record of an item that does not exist. */
const NO_ITEM: ItemRecord = { live: false, created: 0, changed: 0, expiry: undefined, data: '' };

/**
 * Returns the time at which the first item expires, in Unix milliseconds; infinite when the index is empty. `view` is needed outside a
 * write transaction.
 */
export function firstExpiry(tables: Tables, view?: View): number {
  const range = { end: numbersKey(LAST_NUMBER), limit: 1, ...(view === undefined ? {} : { transaction: view }) };
  for (const { key } of tables.expiries.getRange(range)) return numberAt(key, 0);
  return Number.POSITIVE_INFINITY;
}

/** Returns whether a run before `run` leased items that are still leased. */
export function hasOldLeases(tables: Tables, run: number, view: View): boolean {
  for (const _ of tables.expiries.getRange({ ...leasesBefore(run), limit: 1, transaction: view })) return true;
  return false;
}

function leasesBefore(run: number): { readonly start: Buffer; readonly end: Buffer } {
  return { start: numbersKey(LAST_NUMBER, 0), end: numbersKey(LAST_NUMBER, run) };
}

/** Returns up to `EXPIRED_AT_ONCE` items whose time to live has ended at `now`, earliest first. */
export function dueItems(tables: Tables, now: number, view: View): DueItems {
  const items: { place: Buffer; change: Delete }[] = [];
  const stray: Buffer[] = [];
  let damaged = 0;
  for (const { key, value } of tables.expiries.getRange({ end: numbersKey(now + 1), limit: EXPIRED_AT_ONCE, transaction: view })) {
    const place = Buffer.from(key);
    try {
      const { stream, group, item } = nameIn(place, value);
      const itemPlace = itemKey(numberAt(place, 1), item);
      const record = tables.items.get(itemPlace, { transaction: view });
      const { live, expiry } = record === undefined ? NO_ITEM : decodeItem(itemPlace, record);
      if (live && expiry?.kind === 'ttl' && expiry.at === numberAt(place, 0))
        items.push({ place, change: { kind: 'delete', stream, group, item, by: expiry.isByAge === true ? 'bound' : 'ttl' } });
      else stray.push(place);
    } catch (error) {
      requireDamage(error);
      stray.push(place);
      damaged++;
    }
  }
  return { items, stray, damaged };
}

/**
 * Gives up to `atOnce` items that a run before `run` leased a time to live: they expire `graceMs` after `startedAt`. Call it inside a write
 * transaction. `more` says that others may be left.
 */
export function releaseLeases(
  tables: Tables,
  run: number,
  startedAt: number,
  atOnce: number,
): { readonly damaged: number; readonly more: boolean } {
  const leases = [...tables.expiries.getRange({ ...leasesBefore(run), limit: atOnce })];
  let damaged = 0;
  for (const { key, value } of leases) {
    tables.expiries.remove(key);
    try {
      const { stream, group, item } = nameIn(key, value);
      const place = itemKey(numberAt(key, 2), item);
      const record = tables.items.get(place);
      const before = record === undefined ? NO_ITEM : decodeItem(place, record);
      if (!before.live || before.expiry?.kind !== 'held' || before.expiry.run !== numberAt(key, 1)) continue;
      const expiry: RecordedExpiry = { kind: 'ttl', at: startedAt + before.expiry.graceMs };
      const index = expiryKey(expiry, numberAt(key, 2), before.created);
      tables.items.put(place, encodeItem(place, { ...before, expiry }));
      tables.expiries.put(index, encodeText(index, `${stream}\u0000${group}\u0000${item}`));
    } catch (error) {
      requireDamage(error);
      damaged++;
    }
  }
  return { damaged, more: leases.length === atOnce };
}

function nameIn(key: Buffer, value: Buffer): { readonly stream: string; readonly group: string; readonly item: string } {
  const [stream = '', group = '', item = ''] = decodeText(key, value).split('\u0000');
  return { stream, group, item };
}

/** Throws every error that is not one of a damaged record. */
export function requireDamage(error: unknown): void {
  if (!isDamage(error)) throw error;
}
