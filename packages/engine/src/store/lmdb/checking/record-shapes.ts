import { NUMBER_BYTES, textIn } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';

/** A head with the bytes of its items has one number more. */
const HEAD_BYTES: readonly number[] = [40, 46];
const CRC_BYTES = 4;
/** Ids and keys have no bytes below this one. Offsets are small, so a number begins with such bytes. */
const FIRST_OF_TEXT = 0x20;

/**
 * Decides whether a sound record can belong to a table. Checksums do not cover the table, so a page of another table has sound records too.
 * No record fits two tables.
 */
export const FITS: Readonly<Record<keyof Tables, (key: Buffer, record: Buffer) => boolean>> = {
  heads: (key, record) => HEAD_BYTES.includes(record.length) && zerosIn(key) === 1 && isText(key, 0),
  items: (key, record) => {
    if (key.length <= NUMBER_BYTES || isText(key, 0) || !isText(key, NUMBER_BYTES) || record.length < CRC_BYTES + 1 + 2 * NUMBER_BYTES)
      return false;
    const flags = record[CRC_BYTES] ?? 0xff;
    return flags <= 1 || ((flags === 2 || flags === 4) && record.length >= CRC_BYTES + 1 + 4 * NUMBER_BYTES);
  },
  order: (key, record) => isOffsetKey(key) && record.length > CRC_BYTES && isText(record, CRC_BYTES) && zerosIn(textIn(record)) === 0,
  versions: (key, record) => {
    const item = CRC_BYTES + 1 + NUMBER_BYTES + 2;
    return (
      isOffsetKey(key) && record.length > item && (record[CRC_BYTES] ?? 0xff) <= 1 && item + record.readUInt16BE(item - 2) <= record.length
    );
  },
  tombstones: (key, record) => key.length === 3 * NUMBER_BYTES && isText(record, CRC_BYTES) && zerosIn(textIn(record)) === 1,
  expiries: (key, record) =>
    (key.length === 3 * NUMBER_BYTES || key.length === 4 * NUMBER_BYTES) && isText(record, CRC_BYTES) && zerosIn(textIn(record)) === 2,
  keys: (key, record) => zerosIn(key) === 2 && isText(key, 0) && record.length >= CRC_BYTES + NUMBER_BYTES + 2,
  key_ages: (key, record) => key.length > NUMBER_BYTES && record.length === CRC_BYTES && isText(key, NUMBER_BYTES),
  meta: (key, record) => key.length > 0 && zerosIn(key) === 0 && isText(key, 0) && record[CRC_BYTES] === 0x7b,
};

/** Returns whether the bytes from a place on begin as text does. */
function isText(bytes: Buffer, at: number): boolean {
  return (bytes[at] ?? 0) >= FIRST_OF_TEXT;
}

/** The key of a group number and an offset. An item id of six bytes makes a key of the same length, with text in place of the offset. */
function isOffsetKey(key: Buffer): boolean {
  return key.length === 2 * NUMBER_BYTES && !isText(key, 0) && !isText(key, NUMBER_BYTES);
}

function zerosIn(text: Buffer): number {
  let zeros = 0;
  for (let at = text.indexOf(0); at >= 0; at = text.indexOf(0, at + 1)) zeros++;
  return zeros;
}
