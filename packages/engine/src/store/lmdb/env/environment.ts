import { randomUUID } from 'node:crypto';
import { chmodSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import type { CommitLog } from '../log/commit-log.js';
import { removeLogs } from '../log/log-files.js';
import { releaseBallastIn } from './ballast-file.js';
import { type Capture, captureFile } from './capture.js';
import { CHECKPOINT_BYTES, Checkpoints, removeCheckpointNow } from './checkpoints.js';
import type { DirectoryLock } from './directory-lock.js';
import { removeUnfinished, syncFile } from './file-pages.js';
import { diskFull, isNoSpace } from './free-space.js';
import {
  createLog,
  type Leftover,
  type LmdbEnvironmentOptions,
  newestTransaction,
  openRoot,
  openTable,
  prepareFiles,
  replayLog,
  requireLog,
  restoreCheckpoint,
  syncOrDistrust,
  takeLock,
} from './prepare-directory.js';
import {
  DATA_FILE,
  LOCK_FILE,
  type Marker,
  MarkerRecord,
  type PreflightScope,
  readMarker,
  requireFiles,
  requireNewest,
  scopeOf,
} from './store-marker.js';
import { openFailure, StoreOpenError } from './store-open-error.js';
import { countBytes, observed, type Table, type View } from './table.js';
import { newView, type Place, TransactionAbortedError, Transactions } from './transactions.js';

export type { LmdbEnvironmentOptions } from './prepare-directory.js';
export type { Table, View } from './table.js';
export { ReadViewError, TransactionAbortedError } from './transactions.js';

/** Directories whose environment failed. lmdb returns it when such a directory is opened again, and it must not be written or closed. */
const failedHere = new Set<string>();

/**
 * One LMDB environment in a directory of its own. A marker beside the data file proves that the store exists: LMDB would open a missing
 * data file as a new store, and everything would look deleted.
 */
export class LmdbEnvironment {
  readonly storeId: string;
  /** The condition in which the last run has left the data. */
  readonly leftover: Leftover;
  readonly #path: string;
  readonly #lock: DirectoryLock;
  readonly #record: MarkerRecord;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables = new Map<string, Table>();
  readonly #written = { bytes: 0, onDamage: (error: Error) => this.#suspect(error) };
  readonly #onDamage: (error: Error) => void;
  readonly #transactions: Transactions;
  readonly #relaxed: boolean;
  /** `undefined` when LMDB itself makes each transaction durable, or nothing does before a checkpoint. */
  readonly #log: CommitLog | undefined;
  /** The log of the run before may still be needed, so its checkpoint stays the saved one. */
  #isUnsettled: boolean;
  /** `undefined` when each transaction is synced, and was before. */
  #checkpoints: Checkpoints | undefined;
  readonly #afterTransaction: (() => void)[] = [];
  /** A view of the durable data from before the current transaction, or before the one that failed. */
  #settled: View | undefined;

  private constructor(parts: {
    readonly path: string;
    readonly lock: DirectoryLock;
    readonly root: RootDatabase<Buffer, Buffer>;
    readonly marker: Marker | undefined;
    readonly leftover: Leftover;
    readonly relaxed: boolean;
    readonly onDamage?: (error: Error) => void;
    readonly log: CommitLog | undefined;
    readonly noSync: boolean;
  }) {
    this.#onDamage = parts.onDamage ?? (() => {});
    this.#path = parts.path;
    this.#lock = parts.lock;
    this.#root = parts.root;
    this.storeId = parts.marker?.storeId ?? randomUUID();
    this.#record = new MarkerRecord(parts.path, this.storeId, parts.marker, parts.lock);
    this.leftover = parts.leftover;
    this.#relaxed = parts.relaxed;
    this.#log = parts.log;
    this.#transactions = new Transactions({ ...parts, written: this.#written, record: parts.log?.record });
    this.#isUnsettled = this.leftover.kind !== 'closed' && this.leftover.log !== undefined;
    const isDurable = this.leftover.kind === 'closed' || (this.leftover.kind === 'whole' && this.leftover.log !== undefined);
    this.#checkpoints = this.#relaxed || this.#log !== undefined || !isDurable ? this.#newCheckpoints() : undefined;
  }

  /**
   * Takes the lock of the directory and opens the environment. Rejects with StoreOpenError, and then leaves neither a lock nor an open
   * environment.
   */
  static async open(options: LmdbEnvironmentOptions): Promise<LmdbEnvironment> {
    try {
      return await LmdbEnvironment.#open(options);
    } catch (error) {
      throw openFailure(options.path, error);
    }
  }

  static async #open(options: LmdbEnvironmentOptions): Promise<LmdbEnvironment> {
    const { path, preflight } = options;
    const lock = await takeLock(path, options.lock);
    let environment: LmdbEnvironment;
    let marker: Marker | undefined;
    let scope: PreflightScope;
    let log: CommitLog | undefined;
    try {
      if (failedHere.has(realpathSync(path))) {
        throw new StoreOpenError(`${path} failed in this process, which can't open it again; start a new process`);
      }
      requireFiles(path);
      marker = readMarker(path);
      const checkAll = async () => {
        requireLog(path);
        await preflight?.({ directory: path, scope: 'everything' });
      };
      const leftover = marker === undefined ? ({ kind: 'closed' } as const) : await restoreCheckpoint(path, checkAll);
      prepareFiles(path, marker);
      scope = leftover.kind === 'restored' ? 'roots' : scopeOf(path, marker);
      if (scope !== 'nothing') await preflight?.({ directory: path, scope });
      requireNewest(path, marker);
      const { tables, relaxed, bulk = false } = options;
      log = options.log === undefined || relaxed ? undefined : createLog(path, options.log);
      const noSync = relaxed || bulk || log !== undefined;
      environment = new LmdbEnvironment({ ...options, lock, root: openRoot({ path, tables, noSync }), marker, leftover, log, noSync });
    } catch (error) {
      log?.remove(path);
      lock.release();
      throw error;
    }
    try {
      await environment.#prepare(options.tables, marker === undefined, () => environment.#record.opened(marker, scope === 'everything'));
    } catch (error) {
      await environment.close(undefined).catch(() => {});
      throw error;
    }
    return environment;
  }

  async #prepare(tables: readonly string[], isNew: boolean, record: () => void): Promise<void> {
    // A process that lost the lock may still be in a transaction that it began before. LMDB has one at a time, so this one waits for it.
    await this.#transactions.run(() => {}, 'elsewhere');
    // A log of the run before is applied to the checkpoint, so these pages stay as they are until the next one.
    const replayed = this.leftover.kind === 'restored' ? this.leftover.log : undefined;
    const view = replayed === undefined ? undefined : newView(this.#root);
    if (!isNew) {
      // A killed process may have committed a transaction that is not on the disk yet. Nobody may read it before.
      syncOrDistrust(this.#path, this.leftover, this.#lock, () => {
        syncFile(join(this.#path, DATA_FILE));
        if (this.#checkpoints === undefined && this.leftover.kind === 'whole') removeCheckpointNow(this.#path);
        else if (replayed === undefined) this.#takeFirstCheckpoint();
      });
    }
    if (replayed !== undefined) replayLog({ directory: this.#path, name: replayed, root: this.#root, tables, lock: this.#lock });
    const before = newestTransaction(this.#path);
    for (const name of tables) this.#tables.set(name, openTable(this.#root, name));
    for (const file of [DATA_FILE, LOCK_FILE]) chmodSync(join(this.#path, file), 0o600);
    record();
    // A table that is new is in no log.
    if (isNew || replayed !== undefined || newestTransaction(this.#path) !== before) this.#takeFirstCheckpoint();
    this.#isUnsettled = false;
    view?.done();
    this.#lock.requireHeld();
    removeLogs(this.#path, this.#log?.name);
    removeUnfinished(this.#path);
  }

  /** Returns a table that was opened. It counts the bytes that are written to it. */
  table(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`table ${name} was not opened`);
    return observed(table, this.#written, this.#log && { record: this.#log.record, number: [...this.#tables.keys()].indexOf(name) });
  }

  /**
   * Runs `write` inside one write transaction. Resolves when the transaction is on the disk, in the log or in the data file; a relaxed
   * environment resolves when it is committed. Without a sync of LMDB, `place` says which thread writes the pages. Rejects with
   * ReadViewError when it did not begin, and with TransactionAbortedError when `write` threw: nothing is written then. Rejects with
   * LockLostError when another process has taken over the directory: nothing is written later. After any other error, the content of the
   * disk is unknown.
   */
  async transaction(write: () => void, place: Place = 'here'): Promise<void> {
    const wait = this.#checkpoints?.pace();
    if (wait !== undefined) await wait;
    // The view of a failed transaction stays, or reads would see what was refused.
    this.#transactions.requireWorking();
    // LMDB shows a commit to new views one sync before it is on the disk. Until then, reads use this older view.
    const settled = newView(this.#root);
    this.#settled = settled;
    let failed = false;
    try {
      const transaction = await this.#transactions.run(this.#log === undefined ? write : this.#withRoom(this.#log, write), place);
      if (this.#log?.record.isEmpty === false) await this.#makeDurable(this.#log, transaction);
    } catch (error) {
      failed = !(error instanceof TransactionAbortedError);
      throw error;
    } finally {
      // After some failures LMDB opens no views any more. Reads then use this view until the process ends.
      if (!failed) {
        this.#settled = undefined;
        settled.done();
        this.#root.resetReadTxn();
      }
      for (const start of this.#afterTransaction.splice(0)) start();
    }
  }

  /** Returns `write` followed by its last step, which throws NoRoomError when the disk has no room for the log and for a checkpoint. */
  #withRoom(log: CommitLog, write: () => void): () => void {
    return () => {
      write();
      this.#checkpoints?.reserve(log, () => releaseBallastIn(this.#path));
    };
  }

  /**
   * Returns a consistent view of the durable data. It does not change until `done`, and never shows a transaction that has not resolved.
   * Throws ReadViewError when all places for views are taken.
   */
  readView(): View {
    if (this.#settled === undefined) return newView(this.#root);
    this.#settled.use();
    return this.#settled;
  }

  /**
   * Returns the begin of the data file as of the last transaction, and a view that keeps every other page of this moment as it is. Bytes of
   * the file up to `usedBytes`, with `metaPages` at its begin, are a data file of this moment. Call it between two transactions.
   */
  capture(): Capture {
    if (this.#settled !== undefined) throw new Error('a transaction is in flight');
    return captureFile(join(this.#path, DATA_FILE), this.storeId, newView(this.#root));
  }

  /** An estimate of the bytes that transactions have written to the data file. It only grows. */
  get writtenBytes(): number {
    return this.#written.bytes;
  }

  /** Returns the bytes of the data file that are in use; 0 when all places for views are taken. */
  liveBytes(): number {
    return countBytes([...this.#tables.values()])?.live ?? 0;
  }

  /** Throws LockLostError when another process has taken over the directory. Nothing is written from then on. */
  requireOwned(): void {
    this.#transactions.requireOwned();
  }

  /** Throws as `requireOwned`, and keeps the marker of the store true. Call it once a second. */
  tick(): void {
    this.requireOwned();
    this.#record.outlive();
  }

  /**
   * Puts everything committed so far on the disk, and saves a checkpoint of a relaxed environment. Rejects when the sync failed. Resolves
   * with an error when the checkpoint before stays the last one.
   */
  async checkpoint(): Promise<Error | undefined> {
    if (this.#settled !== undefined && !this.#transactions.hasFailed)
      await new Promise<void>((resolve) => this.#afterTransaction.push(resolve));
    this.#transactions.requireWorking();
    if (this.#checkpoints === undefined) await this.#transactions.sync();
    return this.#checkpoints?.heldBytes === 0 ? undefined : this.#checkpoints?.take();
  }

  /** Transactions are durable in a log, and it grows until a checkpoint. */
  get isLogged(): boolean {
    return this.#log !== undefined;
  }

  /** Bytes that transactions have written since the checkpoint of the log. */
  get heldBytes(): number {
    return this.#log === undefined ? 0 : (this.#checkpoints?.heldBytes ?? 0);
  }

  /** Removes the checkpoint of an earlier relaxed run, when this run syncs each transaction and has synced one. */
  async endCheckpoints(): Promise<void> {
    const checkpoints = this.#checkpoints;
    if (this.#relaxed || this.#log !== undefined) return;
    this.#checkpoints = undefined;
    await checkpoints?.end();
  }

  /** The epoch that readers of lost writes know is replaced. Call it after the transaction with the new one. */
  confirmLoss(): void {
    this.#checkpoints?.confirmLoss();
  }

  /** On a full disk, it removes the ballast to have space for the file. */
  #takeFirstCheckpoint(): void {
    try {
      this.#checkpoints?.takeNow();
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      if (!releaseBallastIn(this.#path)) throw diskFull(this.#path, { cause: error });
      this.#checkpoints?.takeNow();
    }
  }

  #newCheckpoints(): Checkpoints {
    return new Checkpoints({
      directory: this.#path,
      dataFile: join(this.#path, DATA_FILE),
      openView: () => newView(this.#root),
      sync: () => this.#transactions.sync(),
      writtenBytes: () => this.#written.bytes,
      mostBytes: this.#log?.limits.checkpointBytes ?? CHECKPOINT_BYTES,
      isRestored: this.leftover.kind === 'restored',
      mayWrite: () => this.#lock.isHeld,
      log: this.#log,
    });
  }

  /** Returns the free bytes inside the data file. LMDB uses them before the file grows, unless a view still needs them. */
  reusableBytes(): number {
    return Math.max(0, (countBytes([...this.#tables.values()])?.free ?? 0) - (this.#checkpoints?.heldBytes ?? 0));
  }

  /**
   * Puts the record of a committed transaction into the log. Reads do not see the transaction before. When the log has no room, the
   * transaction becomes durable with a checkpoint.
   */
  async #makeDurable(log: CommitLog, transaction: number): Promise<void> {
    await this.#transactions.guard(
      async () => {
        if ((await log.append(transaction)) === 'no room') await this.#checkpoints?.takeForced(() => releaseBallastIn(this.#path));
      },
      () => {
        // LMDB has the transaction already, and the next start must not.
        log.eraseLast();
        this.#checkpoints?.distrustNow();
      },
    );
    // Another process that took over the directory in the meantime may have read the log before this record was in it.
    this.requireOwned();
  }

  #suspect(error: Error): void {
    // LMDB refuses all further reads of the view that met the damage.
    if (!this.#transactions.meet(error)) this.#root.resetReadTxn();
    this.#record.suspect();
    this.#onDamage(error);
  }

  /**
   * Runs `last` in a final transaction, puts everything on the disk and closes. `closed` runs then, before the lock is released. No reads
   * may run. After a failure the environment is neither written nor closed, because closing writes too: it stays open until the process
   * ends, and only the lock of the directory is released.
   */
  async close(last: (() => void) | undefined, closed?: () => void): Promise<void> {
    const transactions = this.#transactions;
    try {
      if (!this.#lock.isHeld) transactions.hasFailed = true;
      if (last !== undefined && !transactions.hasFailed) await transactions.run(last, 'elsewhere');
      if (!transactions.hasFailed && !this.#isUnsettled) await (this.#checkpoints?.takeLast() ?? this.#transactions.sync());
    } finally {
      if (transactions.hasFailed) failedHere.add(realpathSync(this.#path));
      else {
        this.#checkpoints?.release();
        await this.#root.close();
        if (this.#isUnsettled) this.#log?.remove(this.#path);
        else await this.#endRun(last !== undefined || closed !== undefined, closed);
      }
      this.#log?.close();
      this.#lock.release();
    }
  }

  /** Without the last write, the checkpoint tells the next start that the process ended and the machine did not. */
  async #endRun(isWhole: boolean, closed: (() => void) | undefined): Promise<void> {
    if (isWhole) {
      await this.#checkpoints?.end();
      if (this.#lock.isHeld) removeLogs(this.#path, undefined);
    }
    closed?.();
    this.#record.closed();
  }
}
