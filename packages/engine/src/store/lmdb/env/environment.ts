import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { releaseBallastIn } from './ballast-file.js';
import { commitFailure } from './commit-error.js';
import { DirectoryLock } from './directory-lock.js';
import { allocateFile, isAllocated } from './file-pages.js';
import { diskSpace } from './free-space.js';
import { DATA_FILE, readMarker, requireData, writeMarker } from './store-marker.js';
import { StoreOpenError } from './store-open-error.js';

/** Places for views, those of other processes included; LMDB's own default is 126. */
const READERS = 1_024;
const LOCK_FILE = 'lock.mdb';
/** Room for all readers, each of 64 bytes, and what LMDB keeps before them. */
const LOCK_BYTES = READERS * 64 + 4_096;
/** What the files of a new environment may take until they are whole. */
const NEW_BYTES = 524_288;
/** At the begin of each data file. */
const META_PAGES = 2;
/** A transaction writes a path of pages in each tree that it changes, and the list of free pages. */
const TRANSACTION_BYTES = 40_960;
/** A record is written with the page that it lies on; pages that several records share are written once, so this is a mean. */
const RECORD_BYTES = 2_048;

/** A consistent view of all tables, from `readView`. */
export type View = ReturnType<RootDatabase['useReadTransaction']> & { use(): void };

/** A table of bytes by bytes, ordered by key. `put` and `remove` belong inside a transaction, where they take effect at once. */
export interface Table {
  get(key: Buffer, options?: { readonly transaction: View }): Buffer | undefined;
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
  getRange(range: Range): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
}

/** Pages of one tree, or of the whole environment, as lmdb tells them. */
interface Pages {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface TableStats extends Pages {
  readonly root: Pages;
  readonly free: Pages;
  readonly lastPageNumber: number;
}

/**
 * Directories whose environment failed in this process. lmdb gives a second one of the same directory the same environment, and one that
 * failed must not be written or closed again.
 */
const failedHere = new Set<string>();

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
  readonly #lock: DirectoryLock;
  /** Size of the data file in the marker. */
  #recorded: number;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables = new Map<string, Table>();
  readonly #written = { bytes: 0 };
  /** What was durable when the transaction on its way was begun, or the one that failed. */
  #settled: View | undefined;
  /** A commit or a sync failed: what another one would do is unknown, so there is none. */
  #failed = false;

  constructor(options: LmdbEnvironmentOptions) {
    this.#lock = takeLock(options.path);
    try {
      if (failedHere.has(realpathSync(options.path))) {
        throw new StoreOpenError(`${options.path} failed in this process, which can't open it again; start a new process`);
      }
      const marker = readMarker(options.path);
      if (marker !== undefined) requireData(options.path, marker);
      const lockFile = join(options.path, LOCK_FILE);
      const allocated = isAllocated(lockFile);
      if (marker === undefined || !allocated) requireDiskSpace(options.path);
      if (!allocated) allocateFile(lockFile, LOCK_BYTES);
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
      for (const file of [DATA_FILE, LOCK_FILE]) chmodSync(join(options.path, file), 0o600);
      this.#path = options.path;
      this.storeId = marker?.storeId ?? randomUUID();
      this.#recorded = marker?.bytes ?? 0;
      if (marker === undefined) writeMarker(options.path, { storeId: this.storeId, bytes: 0 });
      this.#recordSize();
    } catch (error) {
      this.#lock.release();
      throw error;
    }
  }

  table(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`table ${name} was not opened`);
    return counted(table, this.#written);
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
    let failed = false;
    try {
      await this.#execute(write);
    } catch (error) {
      failed = !(error instanceof TransactionAbortedError);
      throw error;
    } finally {
      // After some failures LMDB opens no view any more, so this one is what reads are answered from until the process ends.
      if (!failed) {
        this.#settled = undefined;
        settled.done();
        this.#root.resetReadTxn();
      }
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

  /** Bytes that transactions have written to pages of the data file, about; it only grows. */
  get writtenBytes(): number {
    return this.#written.bytes;
  }

  /** Bytes of the data file that hold something. 0 when all places for views are taken. */
  liveBytes(): number {
    return this.#pageCounts()?.live ?? 0;
  }

  /** Puts everything committed so far on the disk. */
  sync(): Promise<void> {
    const root = this.#root as unknown as { sync(callback: (error?: unknown) => void): void };
    return new Promise((resolve, reject) => {
      root.sync((error) => {
        if (!(error instanceof Error)) return resolve();
        this.#failed = true;
        reject(error);
      });
    });
  }

  /** Bytes of the data file that hold nothing: they are written before the file grows, unless a view or the order of pages keeps them. */
  reusableBytes(): number {
    return this.#pageCounts()?.free ?? 0;
  }

  /** In bytes; `undefined` when all places for views are taken. */
  #pageCounts(): { readonly live: number; readonly free: number } | undefined {
    try {
      const used = [...this.#tables.values()].map((table) => (table as unknown as { getStats(): TableStats }).getStats());
      const any = used[0];
      if (any === undefined) return undefined;
      const pages = [...used, any.root, any.free].reduce((sum, tree) => sum + pagesOf(tree), META_PAGES);
      return { live: pages * any.pageSize, free: Math.max(0, any.lastPageNumber + 1 - pages) * any.pageSize };
    } catch {
      return undefined;
    }
  }

  /** So that the next start knows a data file that has been cut off; without it that start only knows less. */
  #recordSize(): void {
    const bytes = statSync(join(this.#path, DATA_FILE)).size;
    if (bytes === this.#recorded) return;
    try {
      writeMarker(this.#path, { storeId: this.storeId, bytes });
      this.#recorded = bytes;
    } catch {}
  }

  async #execute(write: () => void): Promise<void> {
    let thrown: { readonly cause: unknown } | undefined;
    this.#written.bytes += TRANSACTION_BYTES;
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
      if (thrown !== undefined && thrown.cause === error) throw new TransactionAbortedError(thrown);
      this.#failed = true;
      throw await commitFailure(error, this.#root.committed);
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

  /**
   * Runs `last`, if it is given, in a transaction that nobody reads beside, so it needs no view; then everything is on the disk. After a
   * failure nothing is written: the environment stays as it is until the process ends, as closing it would write too, and only the
   * directory is let go, for other processes.
   */
  async close(last: (() => void) | undefined): Promise<void> {
    try {
      if (last !== undefined && !this.#failed) await this.#execute(last);
      if (!this.#failed) await this.sync();
    } finally {
      if (this.#failed) failedHere.add(realpathSync(this.#path));
      else {
        await this.#root.close();
        this.#recordSize();
      }
      this.#lock.release();
    }
  }
}

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Pages): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}

/** LMDB writes to its files as memory: with no place for them on the disk that would end the process. */
function requireDiskSpace(directory: string): void {
  const hasRoom = () => (diskSpace(directory)?.freeBytes ?? NEW_BYTES) >= NEW_BYTES;
  if (hasRoom() || (releaseBallastIn(directory) && hasRoom())) return;
  throw diskFull(directory);
}

function diskFull(directory: string, options?: ErrorOptions): StoreOpenError {
  return new StoreOpenError(`the disk of ${directory} is full; give it room and start again`, options);
}

/** A lock is a file too: on a full disk the ballast makes room for it. */
function takeLock(directory: string): DirectoryLock {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return DirectoryLock.take(directory);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    if (releaseBallastIn(directory)) return DirectoryLock.take(directory);
    throw diskFull(directory, { cause: error });
  }
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** The same table; it counts what is written. */
function counted(table: Table, written: { bytes: number }): Table {
  return {
    get: (key, options) => table.get(key, options),
    put(key, value) {
      written.bytes += RECORD_BYTES + value.length;
      table.put(key, value);
    },
    remove(key) {
      written.bytes += RECORD_BYTES;
      table.remove(key);
    },
    getRange: (range) => table.getRange(range),
  };
}
