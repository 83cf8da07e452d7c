import { RivuletError } from '@rivulet/protocol';
import type { Change } from '../../store.js';
import type { View } from '../env/environment.js';
import {
  decodeItem,
  decodeText,
  encodeItem,
  encodeText,
  expiryKey,
  itemKey,
  LAST_NUMBER,
  numberAt,
  numbersKey,
  type RecordedExpiry,
} from '../tables/records.js';
import type { Tables } from '../writing/write-batch.js';

/** Items that one part deletes, or gives a time. */
export const EXPIRED_AT_ONCE = 1_000;

type Delete = Extract<Change, { kind: 'delete' }>;

export interface Due {
  /** Those whose record says the same, in order of their time. */
  readonly items: readonly { readonly place: Buffer; readonly change: Delete }[];
  /** Places in the index that stand for nothing. */
  readonly stray: readonly Buffer[];
  /** How many of them are damaged, or stand for a record that is. */
  readonly damaged: number;
}

/** When the next item goes; `Infinity`: none will, by what is known now. Inside a write transaction it needs no view. */
export function firstExpiry(tables: Tables, view?: View): number {
  const range = { end: numbersKey(LAST_NUMBER), limit: 1, ...(view === undefined ? {} : { transaction: view }) };
  for (const { key } of tables.expiries.getRange(range)) return numberAt(key, 0);
  return Number.POSITIVE_INFINITY;
}

/** Whether items were held in an earlier run. */
export function anyHeld(tables: Tables, run: number, view: View): boolean {
  for (const _ of tables.expiries.getRange({ ...heldBefore(run), limit: 1, transaction: view })) return true;
  return false;
}

function heldBefore(run: number): { readonly start: Buffer; readonly end: Buffer } {
  return { start: numbersKey(LAST_NUMBER, 0), end: numbersKey(LAST_NUMBER, run) };
}

/** The items whose time has come, those due first first; a part of them. */
export function dueItems(tables: Tables, now: number, view: View): Due {
  const items: { place: Buffer; change: Delete }[] = [];
  const stray: Buffer[] = [];
  let damaged = 0;
  for (const { key, value } of tables.expiries.getRange({ end: numbersKey(now + 1), limit: EXPIRED_AT_ONCE, transaction: view })) {
    const place = Buffer.from(key);
    try {
      const { stream, group, item } = nameIn(place, value);
      const itemPlace = itemKey(numberAt(place, 1), item);
      const record = tables.items.get(itemPlace, { transaction: view });
      const { live, expiry } = record === undefined ? GONE : decodeItem(itemPlace, record);
      if (live && expiry?.kind === 'ttl' && expiry.at === numberAt(place, 0))
        items.push({ place, change: { kind: 'delete', stream, group, item } });
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
 * Inside a write transaction: what was held in an earlier run goes `graceMs` after `startedAt`, a part of it; `more`: there may be other
 * items.
 */
export function releaseHeld(
  tables: Tables,
  run: number,
  startedAt: number,
  atOnce: number,
): { readonly damaged: number; readonly more: boolean } {
  const held = [...tables.expiries.getRange({ ...heldBefore(run), limit: atOnce })];
  let damaged = 0;
  for (const { key, value } of held) {
    tables.expiries.remove(key);
    try {
      const { stream, group, item } = nameIn(key, value);
      const place = itemKey(numberAt(key, 2), item);
      const record = tables.items.get(place);
      const before = record === undefined ? GONE : decodeItem(place, record);
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
  return { damaged, more: held.length === atOnce };
}

const GONE = { live: false, created: 0, changed: 0, expiry: undefined, data: '' } as const;

function nameIn(key: Buffer, value: Buffer): { readonly stream: string; readonly group: string; readonly item: string } {
  const [stream = '', group = '', item = ''] = decodeText(key, value).split('\u0000');
  return { stream, group, item };
}

export function isDamage(error: unknown): boolean {
  return error instanceof RivuletError && error.code === 'CORRUPT_ITEM';
}

function requireDamage(error: unknown): void {
  if (!isDamage(error)) throw error;
}
