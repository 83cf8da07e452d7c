import { crc32 } from 'node:zlib';
import { RivuletError } from '@rivulet/protocol';

/**
 * Keys and records of the LMDB store. Every record begins with a CRC-32 of its key and its other bytes. LMDB has no checksums, and the
 * store must never return a value with a flipped bit. A number takes six bytes, big-endian, so keys are ordered by number.
 *
 * ```
 * heads       stream 0x00 group        group number, offset, timestamp, reserved, floor, live items, and, only if `group_bounds` has
 *                                      max_bytes, bytes of the ids and values of live items
 * items       group number, item id    flags, created, changed, expiry (two numbers, if the flags say so; the second one of a time to
 *                                      live is 1 if it comes from max_age_ms), value text
 *                                      (also for a tombstone, without value)
 * order       group number, created    item id
 * versions    group number, changed    flags, created, item id, id member of a deleted value
 * tombstones  deleted at, group number, changed     stream 0x00 group
 * expiries    expires at, group number, created         stream 0x00 group 0x00 item
 * expiries    2^48 − 1, run, group number, created      the same, for a leased item
 * keys        stream 0x00 group 0x00 idempotency key    known until, length of the fingerprint, fingerprint, answer
 * key_ages    known until, key in `keys`                nothing
 * meta        name                     JSON
 * ```
 */

const CRC_BYTES = 4;
export const NUMBER_BYTES = 6;
/** Greater than every time, group number and offset. */
export const LAST_NUMBER = 2 ** 48 - 1;
const LIVE = 0;
const TOMBSTONE = 1;
const TTL = 2;
const HELD = 4;

export interface Head {
  readonly number: number;
  offset: number;
  timestamp: number;
  /** Events may take offsets up to here without a write. After a crash, the group goes on above it. */
  reserved: number;
  /** The lowest offset from which `changes` can report every delete. */
  floor: number;
  /** Number of live items. */
  items: number;
  /** Bytes of the ids and values of live items. `undefined`: not counted, because no bound needs them, or they are not known. */
  bytes?: number | undefined;
}

/** When an item expires: at `at` in Unix milliseconds, or `graceMs` after the start of the first run after `run`. */
export type RecordedExpiry =
  | { readonly kind: 'ttl'; readonly at: number; readonly isByAge?: boolean }
  | { readonly kind: 'held'; readonly run: number; readonly graceMs: number };

export interface ItemRecord {
  readonly live: boolean;
  readonly created: number;
  /** The offset of the last change; for a tombstone that of the delete. */
  readonly changed: number;
  /** `undefined` for a permanent item. */
  readonly expiry: RecordedExpiry | undefined;
  /** Empty for a tombstone. */
  readonly data: string;
  /** The record is damaged, so `data` is not its value. @default false */
  readonly isLost?: boolean;
}

export interface VersionRecord {
  readonly live: boolean;
  readonly created: number;
  readonly item: string;
  /** The member `id` of the deleted value; `undefined` without one, and for a live item. */
  readonly valueId: string | undefined;
}

export function numbersKey(...numbers: readonly number[]): Buffer {
  const key = Buffer.allocUnsafe(numbers.length * NUMBER_BYTES);
  for (let index = 0; index < numbers.length; index++) putNumber(key, numbers[index] as number, index * NUMBER_BYTES);
  return key;
}

/** Writes a whole number from 0 to 2^48 − 1. `writeUIntBE` writes the same bytes, and takes three times as long. */
function putNumber(target: Buffer, value: number, at: number): void {
  if (!(value >= 0 && value <= LAST_NUMBER)) throw new RangeError(`${value} does not fit the six bytes of a number`);
  const high = Math.floor(value / 2 ** 32);
  target[at] = high >>> 8;
  target[at + 1] = high;
  target[at + 2] = value >>> 24;
  target[at + 3] = value >>> 16;
  target[at + 4] = value >>> 8;
  target[at + 5] = value;
}

export function numberAt(buffer: Buffer, index: number): number {
  return buffer.readUIntBE(index * NUMBER_BYTES, NUMBER_BYTES);
}

/** Ids have no control characters, so 0x00 separates them without doubt. */
export function headKey(stream: string, group: string): Buffer {
  return Buffer.from(`${stream}\u0000${group}`);
}

export function splitHeadKey(key: Buffer): { readonly stream: string; readonly group: string } {
  const text = key.toString();
  const at = text.indexOf('\u0000');
  return { stream: text.slice(0, at), group: text.slice(at + 1) };
}

export function itemKey(group: number, item: string): Buffer {
  const key = Buffer.allocUnsafe(NUMBER_BYTES + Buffer.byteLength(item));
  putNumber(key, group, 0);
  key.write(item, NUMBER_BYTES);
  return key;
}

export function encodeHead(key: Buffer, head: Head): Buffer {
  const fields = [head.number, head.offset, head.timestamp, head.reserved, head.floor, head.items];
  if (head.bytes !== undefined) fields.push(head.bytes);
  const record = Buffer.allocUnsafe(CRC_BYTES + fields.length * NUMBER_BYTES);
  for (let index = 0; index < fields.length; index++) {
    putNumber(record, fields[index] as number, CRC_BYTES + index * NUMBER_BYTES);
  }
  return seal(key, record);
}

export function decodeHead(key: Buffer, record: Buffer): Head {
  const body = unseal(key, record);
  return {
    number: numberAt(body, 0),
    offset: numberAt(body, 1),
    timestamp: numberAt(body, 2),
    reserved: numberAt(body, 3),
    floor: numberAt(body, 4),
    items: numberAt(body, 5),
    bytes: body.length > 6 * NUMBER_BYTES ? numberAt(body, 6) : undefined,
  };
}

export function encodeItem(key: Buffer, item: ItemRecord): Buffer {
  const { expiry } = item;
  const data = CRC_BYTES + 1 + (expiry === undefined ? 2 : 4) * NUMBER_BYTES;
  const record = Buffer.allocUnsafe(data + Buffer.byteLength(item.data));
  record[CRC_BYTES] = item.live ? (expiry === undefined ? LIVE : expiry.kind === 'ttl' ? TTL : HELD) : TOMBSTONE;
  putNumber(record, item.created, CRC_BYTES + 1);
  putNumber(record, item.changed, CRC_BYTES + 1 + NUMBER_BYTES);
  if (expiry !== undefined) {
    record.writeUIntBE(expiry.kind === 'ttl' ? expiry.at : expiry.run, CRC_BYTES + 1 + 2 * NUMBER_BYTES, NUMBER_BYTES);
    record.writeUIntBE(
      expiry.kind === 'held' ? expiry.graceMs : expiry.isByAge === true ? 1 : 0,
      CRC_BYTES + 1 + 3 * NUMBER_BYTES,
      NUMBER_BYTES,
    );
  }
  record.write(item.data, data);
  return seal(key, record);
}

/** Returns the UTF-8 bytes of the value in a record without a look at its checksum; 0 for a tombstone. */
export function dataBytesIn(record: Buffer): number {
  const flags = record[CRC_BYTES];
  const numbers = flags === TTL || flags === HELD ? 4 : 2;
  return Math.max(0, record.length - CRC_BYTES - 1 - numbers * NUMBER_BYTES);
}

/** Returns whether a record is that of a live item, without a look at its checksum. */
export function isLiveIn(record: Buffer): boolean {
  return record[CRC_BYTES] !== TOMBSTONE;
}

export function decodeItem(key: Buffer, record: Buffer): ItemRecord {
  const body = unseal(key, record);
  const flags = body[0] ?? LIVE;
  const expiry = flags === TTL || flags === HELD ? expiryIn(flags, body) : undefined;
  return {
    live: flags !== TOMBSTONE,
    created: body.readUIntBE(1, NUMBER_BYTES),
    changed: body.readUIntBE(1 + NUMBER_BYTES, NUMBER_BYTES),
    expiry,
    data: body.toString('utf8', 1 + (expiry === undefined ? 2 : 4) * NUMBER_BYTES),
  };
}

/** Returns the fields of a sound item record, without its value. */
export function itemFieldsIn(record: Buffer): Omit<ItemRecord, 'data'> {
  const flags = record[CRC_BYTES];
  return {
    live: flags !== TOMBSTONE,
    created: numberInRecord(record, 1),
    changed: numberInRecord(record, 1 + NUMBER_BYTES),
    expiry: flags === TTL || flags === HELD ? expiryIn(flags, record.subarray(CRC_BYTES)) : undefined,
  };
}

/** Returns the fields of a sound version record. `item` has the bytes of the id. */
export function versionFieldsIn(record: Buffer): { readonly live: boolean; readonly created: number; readonly item: Buffer } {
  const item = CRC_BYTES + 1 + NUMBER_BYTES + 2;
  const itemBytes = record.readUInt16BE(item - 2);
  return { live: record[CRC_BYTES] === LIVE, created: numberInRecord(record, 1), item: record.subarray(item, item + itemBytes) };
}

/** Returns the text of a sound record of text. */
export function textIn(record: Buffer): Buffer {
  return record.subarray(CRC_BYTES);
}

function numberInRecord(record: Buffer, at: number): number {
  return record.readUIntBE(CRC_BYTES + at, NUMBER_BYTES);
}

function expiryIn(flags: typeof TTL | typeof HELD, body: Buffer): RecordedExpiry {
  const first = body.readUIntBE(1 + 2 * NUMBER_BYTES, NUMBER_BYTES);
  const second = body.readUIntBE(1 + 3 * NUMBER_BYTES, NUMBER_BYTES);
  if (flags === HELD) return { kind: 'held', run: first, graceMs: second };
  return second === 1 ? { kind: 'ttl', at: first, isByAge: true } : { kind: 'ttl', at: first };
}

export function encodeVersion(key: Buffer, version: VersionRecord): Buffer {
  const itemBytes = Buffer.byteLength(version.item);
  const valueId = version.valueId ?? '';
  const record = Buffer.allocUnsafe(CRC_BYTES + 1 + NUMBER_BYTES + 2 + itemBytes + Buffer.byteLength(valueId));
  let at = CRC_BYTES;
  record[at++] = version.live ? LIVE : TOMBSTONE;
  putNumber(record, version.created, at);
  at += NUMBER_BYTES;
  record.writeUInt16BE(itemBytes, at);
  at += 2;
  at += record.write(version.item, at);
  record.write(valueId, at);
  return seal(key, record);
}

export function decodeVersion(key: Buffer, record: Buffer): VersionRecord {
  const body = unseal(key, record);
  const item = 1 + NUMBER_BYTES + 2;
  const itemBytes = body.readUInt16BE(1 + NUMBER_BYTES);
  const valueId = body.toString('utf8', item + itemBytes);
  return {
    live: body[0] === LIVE,
    created: body.readUIntBE(1, NUMBER_BYTES),
    item: body.toString('utf8', item, item + itemBytes),
    valueId: valueId === '' ? undefined : valueId,
  };
}

/** Returns the key of an item in the index of expiries. */
export function expiryKey(expiry: RecordedExpiry, group: number, created: number): Buffer {
  if (expiry.kind === 'ttl') return numbersKey(expiry.at, group, created);
  return numbersKey(LAST_NUMBER, expiry.run, group, created);
}

export function encodeText(key: Buffer, text: string): Buffer {
  const record = Buffer.allocUnsafe(CRC_BYTES + Buffer.byteLength(text));
  record.write(text, CRC_BYTES);
  return seal(key, record);
}

export function decodeText(key: Buffer, record: Buffer): string {
  return unseal(key, record).toString();
}

export interface KeyRecord {
  /** Unix milliseconds. */
  readonly until: number;
  readonly fingerprint: string;
  readonly answer: string;
}

export function encodeKey(key: Buffer, { until, fingerprint, answer }: KeyRecord): Buffer {
  const fingerprintBytes = Buffer.byteLength(fingerprint);
  const record = Buffer.allocUnsafe(CRC_BYTES + NUMBER_BYTES + 2 + fingerprintBytes + Buffer.byteLength(answer));
  let at = record.writeUIntBE(until, CRC_BYTES, NUMBER_BYTES);
  at = record.writeUInt16BE(fingerprintBytes, at);
  at += record.write(fingerprint, at);
  record.write(answer, at);
  return seal(key, record);
}

export function decodeKey(key: Buffer, record: Buffer): KeyRecord {
  const body = unseal(key, record);
  const fingerprint = NUMBER_BYTES + 2;
  const answer = fingerprint + body.readUInt16BE(NUMBER_BYTES);
  return {
    until: body.readUIntBE(0, NUMBER_BYTES),
    fingerprint: body.toString('utf8', fingerprint, answer),
    answer: body.toString('utf8', answer),
  };
}

/** Returns whether a record has the checksum of its key and its bytes. */
export function isSound(key: Buffer, record: Buffer): boolean {
  return record.length >= CRC_BYTES && record.readUInt32BE(0) === crc32(record.subarray(CRC_BYTES), crc32(key));
}

function seal(key: Buffer, record: Buffer): Buffer {
  record.writeUInt32BE(crc32(record.subarray(CRC_BYTES), crc32(key)), 0);
  return record;
}

function unseal(key: Buffer, record: Buffer): Buffer {
  if (!isSound(key, record)) throw damagedRecord();
  return record.subarray(CRC_BYTES);
}

/** Returns the error for a record that fails its checksum. */
export function damagedRecord(): RivuletError {
  const remedy = 'write or delete its item, or stop the engine and run rivulet check';
  return new RivuletError('CORRUPT_ITEM', `a stored record fails its checksum; ${remedy}`);
}

/** Returns whether the error says that a record fails its checksum. */
export function isDamage(error: unknown): boolean {
  return error instanceof RivuletError && error.code === 'CORRUPT_ITEM';
}
