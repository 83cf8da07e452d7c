import { randomBytes } from 'node:crypto';
import { closeSync, fdatasync, openSync, rmSync, write, writeSync } from 'node:fs';
import { FILES, logFile } from './log-files.js';
import { RecordBuffer, RUN_BYTES, SECTOR_BYTES } from './log-record.js';

export interface LogLimits {
  /** Most bytes of one of the two files. */
  readonly fileBytes: number;
  /** A file grows by these bytes. A write to space that the file has already is faster than one that makes it longer. */
  readonly chunkBytes: number;
  /** Most bytes of a record. A checkpoint makes larger transactions durable. */
  readonly recordBytes: number;
  /** Bytes that transactions may write to the data file between two checkpoints, before one begins early. */
  readonly checkpointBytes: number;
}

export const DEFAULT_LOG: LogLimits = { fileBytes: 16_777_216, chunkBytes: 262_144, recordBytes: 8_388_608, checkpointBytes: 33_554_432 };

/** Bytes that the event loop copies into the page cache itself. */
const MOST_AT_ONCE = 524_288;

interface LogFile {
  readonly descriptor: number;
  /** Bytes that the file has on the disk. */
  allocated: number;
  /** Where the next record goes. */
  position: number;
}

/**
 * The commit log of one run of an environment: the changes of each transaction since the last checkpoint, in two files of its own. A
 * transaction is durable when its record is on the disk, long before its pages are.
 *
 * While a checkpoint is saved, records go to the other file. When it is saved, the first file is free for new records. Records in it are
 * older than the checkpoint, and nobody reads them any more.
 */
export class CommitLog {
  /** Identifies the run. It is a part of the file names and of each record. */
  readonly name: string;
  /** Collects the changes of the transaction that runs. */
  readonly record: RecordBuffer;
  readonly limits: LogLimits;
  readonly #zeros: Buffer;
  readonly #run: Buffer;
  readonly #files: readonly [LogFile, LogFile];
  #current: 0 | 1 = 0;
  /** The other file has records that the saved checkpoint does not cover. */
  #isOtherNeeded = false;
  #sequence = 0;
  #isClosed = false;

  private constructor(limits: LogLimits, run: Buffer, files: readonly [LogFile, LogFile]) {
    this.limits = limits;
    this.#zeros = Buffer.alloc(limits.chunkBytes);
    this.record = new RecordBuffer(limits.recordBytes);
    this.#run = run;
    this.name = run.toString('hex');
    this.#files = files;
  }

  /** Creates the files. The caller syncs the directory. Throws when the disk has no space, and then leaves no file. */
  static create(directory: string, limits: LogLimits): CommitLog {
    const run = randomBytes(RUN_BYTES);
    const name = run.toString('hex');
    const descriptors: number[] = [];
    try {
      for (const file of FILES) descriptors.push(openSync(logFile(directory, name, file), 'wx', 0o600));
      const [first, second] = descriptors as [number, number];
      const zeros = Buffer.alloc(limits.chunkBytes);
      let allocated = 0;
      while (allocated < zeros.length) allocated += writeSync(first, zeros, allocated, zeros.length - allocated, allocated);
      return new CommitLog(limits, run, [
        { descriptor: first, allocated, position: 0 },
        { descriptor: second, allocated: 0, position: 0 },
      ]);
    } catch (error) {
      for (const descriptor of descriptors) closeSync(descriptor);
      for (const file of FILES) rmSync(logFile(directory, name, file), { force: true });
      throw error;
    }
  }

  /** A checkpoint should begin, so that the files do not get full. */
  get isHalfFull(): boolean {
    return this.#file.position > this.limits.fileBytes / 2;
  }

  /**
   * Puts the record of a transaction on the disk. Resolves with `no room` when the record is too large, or the file or the disk has no room
   * for it: a checkpoint must make the transaction durable. Rejects when the disk fails.
   */
  async append(transaction: number): Promise<'written' | 'no room'> {
    const file = this.#file;
    const record = this.record.seal(this.#sequence + 1, transaction, this.#run);
    if (record === undefined || file.position + record.length > this.limits.fileBytes) return 'no room';
    const written = await this.#write(file, record);
    if (written < record.length) return 'no room';
    await sync(file.descriptor);
    file.position += record.length;
    this.#sequence++;
    return 'written';
  }

  /**
   * Gets room on the disk for the record of the transaction that runs. Returns false when the record is too large, or the file or the disk
   * has no room for it.
   */
  reserve(): boolean {
    const { fileBytes, chunkBytes } = this.limits;
    const file = this.#file;
    const { sealedBytes } = this.record;
    if (sealedBytes === undefined || file.position + sealedBytes > fileBytes) return false;
    const end = Math.ceil((file.position + sealedBytes) / chunkBytes) * chunkBytes;
    try {
      while (file.allocated < end) file.allocated += writeSync(file.descriptor, this.#zeros, 0, this.#zeros.length, file.allocated);
    } catch (error) {
      if (isNoSpace(error)) return false;
      throw error;
    }
    return true;
  }

  /** Returns the number of bytes for which the disk had room. */
  async #write({ descriptor, position }: LogFile, record: Buffer): Promise<number> {
    try {
      if (record.length <= MOST_AT_ONCE) return writeSync(descriptor, record, 0, record.length, position);
      return await writeAll(descriptor, record, position);
    } catch (error) {
      if (isNoSpace(error)) return 0;
      throw error;
    }
  }

  /** Makes a record unreadable whose append has failed. Never throws: the disk may refuse this too. */
  eraseLast(): void {
    const { descriptor, position } = this.#file;
    try {
      writeSync(descriptor, this.#zeros, 0, Math.min(this.#zeros.length, SECTOR_BYTES), position);
      fdatasync(descriptor, () => {});
    } catch {}
  }

  /** A checkpoint of everything that was appended begins. No transaction may run. */
  beginCheckpoint(): void {
    if (this.#isOtherNeeded) return;
    this.#current = this.#current === 0 ? 1 : 0;
    this.#file.position = 0;
    this.#isOtherNeeded = true;
  }

  /** The checkpoint that began last is saved. */
  endCheckpoint(): void {
    this.#isOtherNeeded = false;
  }

  /** The second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { descriptor } of this.#files) closeSync(descriptor);
  }

  /** Closes the log and removes its files, when no transaction was written. */
  remove(directory: string): void {
    this.close();
    for (const file of FILES) rmSync(logFile(directory, this.name, file), { force: true });
  }

  get #file(): LogFile {
    return this.#files[this.#current];
  }
}

function sync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(descriptor, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function writeAll(descriptor: number, record: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, record, 0, record.length, position, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
