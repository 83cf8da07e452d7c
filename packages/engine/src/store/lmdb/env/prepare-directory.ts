import { accessSync, constants, existsSync } from 'node:fs';
import { constants as system } from 'node:os';
import { join } from 'node:path';
import { open, type RootDatabase, TransactionFlags } from 'lmdb';
import { bootId } from '../../../structures/boot-id.js';
import { CommitLog, type LogLimits } from '../log/commit-log.js';
import { type LogReading, readLog } from '../log/log-files.js';
import type { LogRecord } from '../log/log-record.js';
import { PageFile } from '../pages/page-file.js';
import { hasMetaPages, pageBytesOf, readRoot, transactionOf, writeRoots } from '../pages/roots.js';
import { releaseBallastIn } from './ballast-file.js';
import { CHECKPOINT, type Checkpoint, distrustCheckpoint, readCheckpoint } from './checkpoints.js';
import { type DirectoryLock, takeDirectoryLock } from './directory-lock.js';
import { allocateFile, createDirectory, isAllocated, syncFile } from './file-pages.js';
import { diskFull, isNoSpace, requireDiskSpace } from './free-space.js';
import type { TakeOptions } from './lock-protocol.js';
import { beginCreation, DATA_FILE, LOCK_FILE, type Marker, requireData } from './store-marker.js';
import { guardAbort, StoreOpenError } from './store-open-error.js';
import type { Table } from './table.js';

/** Keeps a transaction from a sync of its own, also in an environment that syncs each one. */
const WITHOUT_SYNC: TransactionFlags = TransactionFlags.ABORTABLE | TransactionFlags.SYNCHRONOUS_COMMIT | TransactionFlags.NO_SYNC_FLUSH;

/** Places for read views, including those of other processes. The default of LMDB is 126. */
const READERS = 1_024;
/** Size of the lock file: 64 bytes for each reader, and the header of LMDB. */
const LOCK_BYTES = READERS * 64 + 4_096;

export interface LmdbEnvironmentOptions {
  /** The directory, created with mode 0700. Its name may have any ending. */
  readonly path: string;
  /** A transaction resolves before it is on the disk; `checkpoint` puts it there. */
  readonly relaxed: boolean;
  /**
   * A transaction resolves when it is in the log of this run. Has no effect on a relaxed environment, and when the disk has no space for
   * the log. @default no log: LMDB puts each transaction on the disk
   */
  readonly log?: LogLimits;
  /** A tool fills a new environment: nothing of it is durable before `checkpoint`. @default false */
  readonly bulk?: boolean;
  readonly tables: readonly string[];
  /** Checks a data file before LMDB opens it. Rejects with StoreOpenError when LMDB must not. @default no check */
  readonly preflight?: (request: { readonly directory: string; readonly scope: 'roots' | 'everything' }) => Promise<void>;
  /** Called when LMDB meets a damaged page. The next start then checks everything. @default nothing */
  readonly onDamage?: (error: Error) => void;
  /** Whether to wait for another process that has the directory. @default no wait */
  readonly lock?: Partial<TakeOptions>;
}

/** Checks the files of the directory, and makes the lock file of LMDB. LMDB crashes when it may not open one of its files. */
export function prepareFiles(directory: string, marker: Marker | undefined): void {
  for (const name of [DATA_FILE, LOCK_FILE]) {
    const file = join(directory, name);
    if (existsSync(file)) accessSync(file, constants.R_OK | constants.W_OK);
  }
  if (marker !== undefined) requireData(directory, marker);
  else {
    requireDiskSpace(directory);
    beginCreation(directory);
  }
  const lockFile = join(directory, LOCK_FILE);
  const allocated = isAllocated(lockFile);
  if (marker !== undefined && !allocated) requireDiskSpace(directory);
  if (!allocated) allocateFile(lockFile, LOCK_BYTES);
}

/** Takes the lock of the directory. On a full disk, it removes the ballast to have space for the lock file. */
export async function takeLock(directory: string, options: Partial<TakeOptions> | undefined): Promise<DirectoryLock> {
  try {
    createDirectory(directory);
    return await takeDirectoryLock(directory, options);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    if (releaseBallastIn(directory)) return await takeDirectoryLock(directory, options);
    throw diskFull(directory, { cause: error });
  }
}

export interface RootOptions {
  readonly path: string;
  readonly tables: readonly string[];
  /** A transaction resolves before it is on the disk. */
  readonly noSync: boolean;
}

/** Opens the files with LMDB. */
export function openRoot({ path, tables, noSync }: RootOptions): RootDatabase<Buffer, Buffer> {
  const root = open<Buffer, Buffer>({
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxReaders: READERS,
    maxDbs: tables.length + 1,
    // No read may show a write before it is durable, or a write whose sync failed.
    overlappingSync: false,
    noSync,
    compression: false,
  });
  guardAbort(root);
  return requireReadable(root, path);
}

/** The part of an LMDB environment that opens a view, and ends the one of lmdb itself. */
interface Opened {
  useReadTransaction(): { done(): void };
  resetReadTxn(): void;
}

/**
 * Returns a new environment if this process can read it. Throws StoreOpenError when a process with the same pid, in another PID namespace,
 * has the data file open: LMDB tells readers apart by their pid. It tries for ten seconds, and a later read would end this process.
 */
function requireReadable<Root extends Opened>(root: Root, directory: string): Root {
  try {
    root.useReadTransaction().done();
    return root;
  } catch (cause) {
    try {
      // lmdb has planned this for the next turn, where the exception would end the process.
      root.resetReadTxn();
    } catch {}
    throw new StoreOpenError(
      `another process with the pid ${process.pid}, perhaps in another container, has the data file of ${directory} open although its lock was removed; stop that engine, then start this one`,
      { cause },
    );
  }
}

/** Opens a table, and creates it if the file lacks it. */
export function openTable(root: RootDatabase<Buffer, Buffer>, name: string): Table {
  return root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' }) as Table;
}

/**
 * Runs `sync`. After a failed sync, the system may have dropped pages that only the page cache had, and the next sync may succeed without
 * them. So the next start goes back to the checkpoint of a run that was killed.
 */
export function syncOrDistrust(directory: string, { kind }: Leftover, lock: { readonly isHeld: boolean }, sync: () => void): void {
  try {
    sync();
  } catch (error) {
    if (kind === 'whole' && !isNoSpace(error) && lock.isHeld) distrustCheckpoint(directory);
    throw error;
  }
}

/** Creates the log of a run. Returns `undefined` when the disk has no space for it: each transaction is synced then. */
export function createLog(directory: string, limits: LogLimits): CommitLog | undefined {
  let log: CommitLog;
  try {
    log = CommitLog.create(directory, limits);
  } catch (error) {
    if (isNoSpace(error)) return undefined;
    throw error;
  }
  syncFile(directory);
  return log;
}

/**
 * The state in which the last run has left the store. `closed`: it is whole and durable. `whole`: the process ended and the machine did
 * not, so the page cache has everything. `restored`: it is back at its last checkpoint.
 */
export type Leftover =
  | { readonly kind: 'closed' }
  | {
      readonly kind: 'whole';
      /** The name of the log of the last run, which adds nothing to the page cache. */
      readonly log: string | undefined;
    }
  | {
      readonly kind: 'restored';
      /** Unix milliseconds. Writes after this time are lost, unless there is a log. */
      readonly savedAt: number;
      /** The name of the log with all later transactions. */
      readonly log: string | undefined;
    };

/**
 * Puts the store of a directory back to its checkpoint when the machine has stopped since. A relaxed store does not order its writes, so
 * the newest root may lead to pages that never reached the disk. Call it before LMDB opens the data file. `check` runs before anything is
 * written, and sees the state of the checkpoint: only a sound one may replace the newest roots.
 */
export async function restoreCheckpoint(directory: string, check: () => Promise<void> | undefined): Promise<Leftover> {
  const checkpoint = readCheckpoint(directory);
  if (checkpoint === undefined) return { kind: 'closed' };
  const pending = pendingRestore(directory);
  if (pending === undefined) return { kind: 'whole', log: checkpoint.log };
  await check();
  writeRoots(join(directory, DATA_FILE), pending.root);
  return { kind: 'restored', savedAt: pending.savedAt, log: pending.log };
}

/**
 * Returns the checkpoint that the next start restores; `undefined` when it takes the newest roots. Changes nothing. Throws StoreOpenError
 * when the checkpoint is damaged or does not belong to the data file.
 */
export function pendingRestore(directory: string): Pick<Checkpoint, 'root' | 'savedAt' | 'log'> | undefined {
  const checkpoint = readCheckpoint(directory);
  if (checkpoint === undefined) return undefined;
  if (checkpoint.boot !== '' && checkpoint.boot === bootId() && !isBehind(directory, checkpoint.log)) return undefined;
  requireFits(join(directory, DATA_FILE), checkpoint.root);
  return checkpoint;
}

/**
 * Returns whether the log has transactions that the data file lacks. A kill never causes that, because a transaction goes to the page cache
 * first. A disk that was taken from a running machine and comes back lacks what only the page cache had.
 */
function isBehind(directory: string, log: string | undefined): boolean {
  if (log === undefined || !existsSync(join(directory, DATA_FILE))) return false;
  return readLog(directory, log, Number(transactionOf(readRoot(join(directory, DATA_FILE))))).records.length > 0;
}

/** A restored root replaces that of the file, so a file that is foreign at first sight, or of an earlier moment, must not get it. */
function requireFits(path: string, root: Buffer): void {
  if (!hasMetaPages(path, root)) return;
  const file = new PageFile(path);
  const { newest, pageBytes } = file;
  file.close();
  const isForeign = newest === undefined || pageBytes !== pageBytesOf(root);
  if (!isForeign && newest.transaction >= Number(transactionOf(root))) return;
  const problem = isForeign ? `is not the data file of ${CHECKPOINT}` : 'is older than its checkpoint';
  throw new StoreOpenError(`${path} ${problem}; restore the whole directory from a backup`, { code: 'CORRUPT_STORE' });
}

/** Returns the number of the newest transaction of a data file. */
export function newestTransaction(directory: string): number {
  return Number(transactionOf(readRoot(join(directory, DATA_FILE))));
}

/** Returns what the next start applies to a checkpoint; `undefined` when the run had no log. */
export function restoredLog(directory: string, { root, log }: Pick<Checkpoint, 'root' | 'log'>): LogReading | undefined {
  return log === undefined ? undefined : readLog(directory, log, Number(transactionOf(root)));
}

/** Throws StoreOpenError when a part of the log is missing that the next start would apply. */
export function requireLog(directory: string): void {
  const pending = pendingRestore(directory);
  const problem = pending && restoredLog(directory, pending)?.problem;
  if (problem !== undefined) throw damagedLog(directory, problem);
}

function damagedLog(directory: string, problem: string): StoreOpenError {
  const remedy = `restore a backup, or save what is readable with rivulet salvage ${directory} --to NEW`;
  return new StoreOpenError(`the store in ${directory} is damaged (${problem}); ${remedy}`, { code: 'CORRUPT_STORE' });
}

export interface ReplayOptions {
  readonly directory: string;
  readonly name: string;
  readonly root: RootDatabase<Buffer, Buffer>;
  /** Names of tables, in the order of their numbers in the log. */
  readonly tables: readonly string[];
  readonly lock: { requireHeld(): void };
}

/**
 * Repeats the transactions of a log that follow the restored checkpoint, without a sync: the log has them until the caller saves the next
 * checkpoint. Throws StoreOpenError when the log lacks some of them.
 */
export function replayLog(options: ReplayOptions): void {
  const { directory, name, root } = options;
  // LMDB ends the names of tables with a zero. A table that is new is a transaction of its own, so it must wait.
  const existing = new Set([...root.getKeys()].map((key) => key.toString('utf8', 0, key.length - 1)));
  root.resetReadTxn();
  const tables = options.tables.map((each) => (existing.has(each) ? openTable(root, each) : undefined));
  const { records, problem: missing } = readLog(directory, name, newestTransaction(directory));
  try {
    if (missing === undefined && records.every((record) => repeat(record, tables, options))) return;
  } catch (error) {
    throw isFull(error) ? diskFull(directory, { cause: error }) : error;
  }
  throw damagedLog(directory, missing ?? 'the commit log does not belong to the data file');
}

/** The code of lmdb is the number of the error of the system. */
function isFull(error: unknown): boolean {
  return isNoSpace(error) || (error instanceof Error && 'code' in error && error.code === system.errno.ENOSPC);
}

/** Returns whether the transaction got the number that it had before. */
function repeat({ transaction, operations }: LogRecord, tables: readonly (Table | undefined)[], { root, lock }: ReplayOptions): boolean {
  return root.transactionSync(() => {
    lock.requireHeld();
    if (root.getWriteTxnId() !== transaction) return false;
    for (const { table, key, value } of operations) {
      const target = tables[table];
      if (target === undefined) return false;
      if (value === undefined) target.remove(key);
      else target.put(key, value);
    }
    return true;
  }, WITHOUT_SYNC);
}
