import type { ExpiryCause } from '../../shared/lifetime.js';
import {
  dataBytesIn,
  decodeText,
  type ItemRecord,
  isLiveIn,
  isSound,
  LAST_NUMBER,
  NUMBER_BYTES,
  numbersKey,
  type RecordedExpiry,
} from '../tables/records.js';
import type { Tables } from '../tables/tables.js';

/** An item that leaves its group, because the group is full. */
export interface OldItem {
  readonly item: string;
  readonly data: string;
  readonly record: ItemRecord;
}

/** Iterates over the ids of the items of a group in the order of their creation. Damaged entries are left out. */
export function* itemsInOrder(tables: Tables, group: number): Generator<string, void> {
  const range = { start: numbersKey(group, 0), end: numbersKey(group, LAST_NUMBER) };
  for (const { key, value } of tables.order.getRange(range)) if (isSound(key, value)) yield decodeText(key, value);
}

/** Counts the bytes of the ids and values of all items of a group. */
export function storedBytes(tables: Tables, group: number): number {
  let bytes = 0;
  for (const { key, value } of tables.items.getRange({ start: numbersKey(group), end: numbersKey(group + 1) }))
    if (isLiveIn(value)) bytes += key.length - NUMBER_BYTES + dataBytesIn(value);
  return bytes;
}

/** Returns why an item has its expiry. */
export function causeOf(expiry: RecordedExpiry | undefined): ExpiryCause {
  if (expiry === undefined) return undefined;
  return expiry.kind === 'ttl' && expiry.isByAge === true ? 'age' : 'own';
}
