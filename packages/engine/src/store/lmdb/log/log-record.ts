import { crc32 } from 'node:zlib';

/** Each record begins at a multiple of these bytes, so a torn write of one record leaves the record before as it is. */
export const SECTOR_BYTES = 512;
/** Size of an unused buffer. A larger one is freed after its record. */
const BUFFER_BYTES = 65_536;

/** `RLOG` in ASCII. */
const MAGIC = 0x474f4c52;
const CRC_AT = 4;
const BYTES_AT = 8;
const OPERATIONS_AT = 12;
const SEQUENCE_AT = 16;
const TRANSACTION_AT = 22;
const RUN_AT = 28;
const HEADER_BYTES = 36;
const NUMBER_BYTES = 6;
export const RUN_BYTES = HEADER_BYTES - RUN_AT;

/** Bytes before the key of an operation: the table, the length of the key, and the length of the value. */
const OPERATION_BYTES = 7;
/** Stands for the length of a value when the operation removes the record. */
const REMOVES = 0xffffffff;

/** One change of a table. Without a value, it removes the record. */
export interface LogOperation {
  /** The place of the table in the list of tables. */
  readonly table: number;
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

export interface LogRecord {
  /** Counts the records of a run. */
  readonly sequence: number;
  /** The transaction of LMDB that made these changes. */
  readonly transaction: number;
  readonly operations: readonly LogOperation[];
}

/** Collects the operations of one transaction in the form in which the log stores them. */
export class RecordBuffer {
  readonly #mostBytes: number;
  #bytes = Buffer.allocUnsafe(BUFFER_BYTES);
  #used = HEADER_BYTES;
  #operations = 0;
  #isTooLarge = false;

  /** Transactions of more bytes do not go to the log. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get isEmpty(): boolean {
    return this.#operations === 0;
  }

  /** Bytes of the record with the space up to the end of its last sector; `undefined` when it is too large. */
  get sealedBytes(): number | undefined {
    return this.#isTooLarge ? undefined : wholeSectors(this.#used);
  }

  clear(): void {
    this.#used = HEADER_BYTES;
    this.#operations = 0;
    this.#isTooLarge = false;
    if (this.#bytes.length > 4 * BUFFER_BYTES) this.#bytes = Buffer.allocUnsafe(BUFFER_BYTES);
  }

  put(table: number, key: Buffer, value: Buffer): void {
    if (!this.#begin(table, key, value.length, value.length)) return;
    value.copy(this.#bytes, this.#used);
    this.#used += value.length;
  }

  remove(table: number, key: Buffer): void {
    this.#begin(table, key, REMOVES, 0);
  }

  /**
   * Returns the record with its checksum, padded to whole sectors; `undefined` when it is too large. The result is valid until the next
   * operation.
   */
  seal(sequence: number, transaction: number, run: Buffer): Buffer | undefined {
    if (this.#isTooLarge) return undefined;
    const used = this.#used;
    const end = wholeSectors(used);
    this.#reserve(end - used);
    const bytes = this.#bytes;
    bytes.fill(0, used, end);
    bytes.writeUInt32LE(MAGIC, 0);
    bytes.writeUInt32LE(used, BYTES_AT);
    bytes.writeUInt32LE(this.#operations, OPERATIONS_AT);
    bytes.writeUIntLE(sequence, SEQUENCE_AT, NUMBER_BYTES);
    bytes.writeUIntLE(transaction, TRANSACTION_AT, NUMBER_BYTES);
    run.copy(bytes, RUN_AT);
    bytes.writeUInt32LE(crc32(bytes.subarray(BYTES_AT, used)), CRC_AT);
    return bytes.subarray(0, end);
  }

  /** Writes everything before the value. Returns whether the operation fits. */
  #begin(table: number, key: Buffer, length: number, valueBytes: number): boolean {
    this.#operations++;
    const needed = OPERATION_BYTES + key.length + valueBytes;
    if (this.#isTooLarge || this.#used + needed > this.#mostBytes) {
      this.#isTooLarge = true;
      return false;
    }
    this.#reserve(needed);
    const bytes = this.#bytes;
    const at = this.#used;
    bytes[at] = table;
    bytes.writeUInt16LE(key.length, at + 1);
    bytes.writeUInt32LE(length, at + 3);
    key.copy(bytes, at + OPERATION_BYTES);
    this.#used = at + OPERATION_BYTES + key.length;
    return true;
  }

  #reserve(needed: number): void {
    if (this.#used + needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, wholeSectors(this.#used + needed)));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#bytes = larger;
  }
}

/**
 * Yields the sound records of a file that the run has written, in the order of their places. Skips everything else: records that were not
 * written to their end, and space without records. Values that look like a record do not have the random name of the run.
 */
export function* recordsIn(content: Buffer, run: Buffer): Iterable<LogRecord> {
  for (let at = 0; at + HEADER_BYTES <= content.length; ) {
    const record = recordAt(content, at, run);
    if (record === undefined) at += SECTOR_BYTES;
    else {
      yield record.record;
      at += wholeSectors(record.bytes);
    }
  }
}

function recordAt(content: Buffer, at: number, run: Buffer): { readonly record: LogRecord; readonly bytes: number } | undefined {
  if (content.readUInt32LE(at) !== MAGIC) return undefined;
  const bytes = content.readUInt32LE(at + BYTES_AT);
  if (bytes < HEADER_BYTES || at + bytes > content.length) return undefined;
  const whole = content.subarray(at, at + bytes);
  if (run.compare(whole, RUN_AT, HEADER_BYTES) !== 0 || crc32(whole.subarray(BYTES_AT)) !== whole.readUInt32LE(CRC_AT)) return undefined;
  const operations = operationsIn(whole, whole.readUInt32LE(OPERATIONS_AT));
  if (operations === undefined) return undefined;
  const sequence = whole.readUIntLE(SEQUENCE_AT, NUMBER_BYTES);
  return { record: { sequence, transaction: whole.readUIntLE(TRANSACTION_AT, NUMBER_BYTES), operations }, bytes };
}

function operationsIn(record: Buffer, count: number): readonly LogOperation[] | undefined {
  const operations: LogOperation[] = [];
  let at = HEADER_BYTES;
  while (operations.length < count) {
    if (at + OPERATION_BYTES > record.length) return undefined;
    const table = record[at] as number;
    const keyEnd = at + OPERATION_BYTES + record.readUInt16LE(at + 1);
    const length = record.readUInt32LE(at + 3);
    const end = length === REMOVES ? keyEnd : keyEnd + length;
    if (end > record.length) return undefined;
    operations.push({
      table,
      key: record.subarray(at + OPERATION_BYTES, keyEnd),
      value: length === REMOVES ? undefined : record.subarray(keyEnd, end),
    });
    at = end;
  }
  return at === record.length ? operations : undefined;
}

function wholeSectors(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}
