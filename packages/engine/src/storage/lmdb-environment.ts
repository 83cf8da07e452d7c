import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';

/** Version of the record layout; written into the marker. */
const FORMAT = 1;
const MARKER = 'rivulet-store.json';
const DATA_FILE = 'data.mdb';

/** Places for views, those of other processes included; LMDB's own default is 126. */
const READERS = 1_024;

/** A consistent view of all tables, from `readView`. */
export type View = ReturnType<RootDatabase['useReadTransaction']> & { use(): void };

/** A table of bytes by bytes, ordered by key. `put` and `remove` belong inside a transaction, where they take effect at once. */
export interface Table {
  get(key: Buffer, options?: { readonly transaction: View }): Buffer | undefined;
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
  getRange(range: Range): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
}

/** From `start` to before `end`. */
export interface Range {
  readonly start?: Buffer;
  readonly end?: Buffer;
  readonly limit?: number;
  readonly transaction?: View;
}

export interface LmdbEnvironmentOptions {
  /** A directory, whatever its name ends in; created with mode 0700. */
  readonly path: string;
  /** Commits are acknowledged before they are on the disk; `sync` puts them there. */
  readonly relaxed: boolean;
  readonly tables: readonly string[];
}

/** The directory can't be opened as a store; the message names the file and what to do. */
export class StoreOpenError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreOpenError';
  }
}

/** All places for views are taken, so nothing was read or written; it may go well later. */
export class ReadViewError extends Error {
  constructor(options: ErrorOptions) {
    super('a read view of the store could not be opened', options);
    this.name = 'ReadViewError';
  }
}

/** What was to be written threw, so nothing of it was; the environment is well. `cause` is what was thrown. */
export class TransactionAbortedError extends Error {
  constructor(options: ErrorOptions) {
    super('the transaction could not be carried out, nothing of it was written', options);
    this.name = 'TransactionAbortedError';
  }
}

/**
 * One LMDB environment in a directory of its own, with an identity marker beside the data file: LMDB would open an empty or missing
 * data file as a new store, and everything would look deleted.
 */
export class LmdbEnvironment {
  readonly storeId: string;
  readonly #path: string;
  /** Size of the data file in the marker. */
  #recorded: number;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables = new Map<string, Table>();
  /** What was durable when the transaction on its way was begun. */
  #settled: View | undefined;

  constructor(options: LmdbEnvironmentOptions) {
    mkdirSync(options.path, { recursive: true, mode: 0o700 });
    const marker = readMarker(options.path);
    if (marker !== undefined) requireData(options.path, marker);
    this.#root = open<Buffer, Buffer>({
      path: options.path,
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxReaders: READERS,
      maxDbs: options.tables.length + 1,
      // A write must not be readable before it is durable, and one whose sync failed must never be.
      overlappingSync: false,
      noSync: options.relaxed,
      compression: false,
    });
    for (const name of options.tables) {
      this.#tables.set(name, this.#root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' }) as Table);
    }
    for (const file of [DATA_FILE, 'lock.mdb']) chmodSync(join(options.path, file), 0o600);
    this.#path = options.path;
    this.storeId = marker?.storeId ?? randomUUID();
    this.#recorded = marker?.bytes ?? 0;
    if (marker === undefined) writeMarker(options.path, { format: FORMAT, storeId: this.storeId, bytes: 0 });
    this.#recordSize();
  }

  table(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`table ${name} was not opened`);
    return table;
  }

  /**
   * Runs `write` inside one write transaction; resolves when it is on the disk (relaxed: when it is committed). Rejects
   * with ReadViewError when it was not begun, with TransactionAbortedError when `write` threw: then nothing of it is written. After any
   * other error what is on the disk is unknown.
   */
  async transaction(write: () => void): Promise<void> {
    // LMDB shows a commit as soon as its meta page is in the page cache, one sync before it is on the disk.
    const settled = this.#newView();
    this.#settled = settled;
    try {
      await this.#carryOut(write);
    } finally {
      this.#settled = undefined;
      settled.done();
      this.#root.resetReadTxn();
    }
  }

  /**
   * A consistent view of what is durable, which stays as it is until `done`. Never shows a transaction that has not resolved.
   * Throws ReadViewError when there is no place for it.
   */
  readView(): View {
    if (this.#settled === undefined) return this.#newView();
    this.#settled.use();
    return this.#settled;
  }

  /** Puts everything committed so far on the disk. */
  sync(): Promise<void> {
    const root = this.#root as unknown as { sync(callback: (error?: unknown) => void): void };
    return new Promise((resolve, reject) => {
      root.sync((error) => (error instanceof Error ? reject(error) : resolve()));
    });
  }

  /** So that the next start knows a data file that has been cut off; without it that start only knows less. */
  #recordSize(): void {
    const bytes = statSync(join(this.#path, DATA_FILE)).size;
    if (bytes === this.#recorded) return;
    try {
      writeMarker(this.#path, { format: FORMAT, storeId: this.storeId, bytes });
      this.#recorded = bytes;
    } catch {}
  }

  async #carryOut(write: () => void): Promise<void> {
    let thrown: { readonly cause: unknown } | undefined;
    try {
      // lmdb commits a transaction whose callback has thrown; a child of it is undone.
      await this.#root.childTransaction(() => {
        try {
          write();
        } catch (cause) {
          thrown = { cause };
          throw cause;
        }
      });
    } catch (error) {
      throw thrown !== undefined && thrown.cause === error ? new TransactionAbortedError(thrown) : error;
    }
  }

  #newView(): View {
    try {
      return this.#root.useReadTransaction() as View;
    } catch {
      try {
        // A process that was killed has left its places taken.
        (this.#root as unknown as { readerCheck(): number }).readerCheck();
        return this.#root.useReadTransaction() as View;
      } catch (error) {
        throw new ReadViewError({ cause: error });
      }
    }
  }

  /** Runs `last` in a transaction that nobody reads beside, so it needs no view; then everything is on the disk. */
  async close(last: () => void): Promise<void> {
    await this.#carryOut(last);
    await this.sync();
    await this.#root.close();
    this.#recordSize();
  }
}

interface Marker {
  readonly format: number;
  readonly storeId: string;
  /** Size of the data file when the store was last opened or closed. LMDB never makes it smaller. */
  readonly bytes: number;
}

function readMarker(directory: string): Marker | undefined {
  const file = join(directory, MARKER);
  if (!existsSync(file)) return undefined;
  let marker: Partial<Marker>;
  try {
    marker = JSON.parse(readFileSync(file, 'utf8')) as Partial<Marker>;
  } catch (error) {
    throw new StoreOpenError(`${file} is damaged; restore it from a backup of the directory`, { cause: error });
  }
  if (typeof marker.format !== 'number' || typeof marker.storeId !== 'string') {
    throw new StoreOpenError(`${file} is damaged; restore it from a backup of the directory`);
  }
  if (marker.format > FORMAT) {
    throw new StoreOpenError(`${file} says format ${marker.format}, this engine reads up to ${FORMAT}; start a newer engine`);
  }
  return { format: marker.format, storeId: marker.storeId, bytes: typeof marker.bytes === 'number' ? marker.bytes : 0 };
}

/** A store that was there must still be there, and whole: LMDB would take an empty file for a new store, and die in a page that is cut off. */
function requireData(directory: string, marker: Marker): void {
  const file = join(directory, DATA_FILE);
  const size = existsSync(file) ? statSync(file).size : 0;
  if (size === 0) {
    throw new StoreOpenError(
      `${file} is missing or empty although ${MARKER} says there is a store; restore it, or move the directory away to begin anew`,
    );
  }
  // Either alone is no damage: pages that were free again before they were written may lie beyond the end, and a compacted copy is smaller.
  const used = usedBytes(file);
  if (size >= marker.bytes || used === undefined || size >= used) return;
  throw new StoreOpenError(
    `${file} is cut off: it has ${size} bytes of at least ${marker.bytes}; restore the whole directory from a backup, or move it away to begin anew`,
  );
}

const PAGE_HEADER_BYTES = 24;
const META_BYTES = 136;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;

/**
 * The bytes up to the last page that the newest meta page of a data file names; `undefined` when they are of a layout that is not
 * known, Infinity when the meta pages themselves are cut off. A test holds it to the bundled LMDB.
 */
export function usedBytes(file: string): number | undefined {
  const handle = openSync(file, 'r');
  try {
    const first = readMeta(handle, 0);
    const second = typeof first === 'object' ? readMeta(handle, first.pageBytes) : first;
    if (first === 'cut off' || second === 'cut off') return Number.POSITIVE_INFINITY;
    if (first === undefined || second === undefined) return undefined;
    const newest = first.transaction > second.transaction ? first : second;
    return (newest.lastPage + 1) * newest.pageBytes;
  } finally {
    closeSync(handle);
  }
}

interface MetaPage {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: number;
}

function readMeta(handle: number, at: number): MetaPage | 'cut off' | undefined {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(handle, meta, 0, META_BYTES, at + PAGE_HEADER_BYTES) < META_BYTES) return 'cut off';
  if (meta.readUInt32LE(0) !== MAGIC || meta.readUInt32LE(4) !== DATA_VERSION) return undefined;
  return {
    pageBytes: meta.readUInt32LE(24),
    lastPage: Number(meta.readBigUInt64LE(120)),
    transaction: Number(meta.readBigUInt64LE(128)),
  };
}

function writeMarker(directory: string, marker: Marker): void {
  const file = join(directory, MARKER);
  const next = `${file}.new`;
  const handle = openSync(next, 'w', 0o600);
  try {
    writeSync(handle, `${JSON.stringify(marker)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(next, file);
  const folder = openSync(directory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
