import { randomUUID } from 'node:crypto';
import { chmodSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { releaseBallastIn } from './ballast-file.js';
import { type Capture, captureFile } from './capture.js';
import { CHECKPOINT_BYTES, Checkpoints, type Leftover, restoreCheckpoint } from './checkpoints.js';
import { type DirectoryLock, LockLostError } from './directory-lock.js';
import { syncFile } from './file-pages.js';
import { diskFull, isNoSpace } from './free-space.js';
import type { TakeOptions } from './lock-protocol.js';
import { openRoot, prepareFiles, takeLock } from './prepare-directory.js';
import { requireReadable } from './require-readable.js';
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
import { commitFailure, openFailure, StoreOpenError } from './store-open-error.js';
import { countBytes, observed, type Table, TRANSACTION_BYTES, type View } from './table.js';

export type { Table, View } from './table.js';

/**
 * Directories whose environment failed in this process. lmdb returns the same environment when a directory is opened again, and a failed
 * one must not be written or closed.
 */
const failedHere = new Set<string>();

export interface LmdbEnvironmentOptions {
  /** The directory, created with mode 0700. Its name may have any ending. */
  readonly path: string;
  /** A transaction resolves before it is on the disk; `checkpoint` puts it there. */
  readonly relaxed: boolean;
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

/** The error when all places for views are taken. Nothing was read or written; a later attempt may succeed. */
export class ReadViewError extends Error {
  constructor(options: ErrorOptions) {
    super('a read view of the store could not be opened', options);
    this.name = 'ReadViewError';
  }
}

/** The error when the function of a transaction threw `cause`. Nothing was written, and the environment works. */
export class TransactionAbortedError extends Error {
  constructor(options: ErrorOptions) {
    super('the transaction failed, nothing of it was written', options);
    this.name = 'TransactionAbortedError';
  }
}

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
  /** The damage that LMDB met in the write that runs. */
  #writing: { damage: Error | undefined } | undefined;
  readonly #relaxed: boolean;
  /** `undefined` when each transaction is synced, and was before. */
  #checkpoints: Checkpoints | undefined;
  readonly #afterTransaction: (() => void)[] = [];
  /** A view of the durable data from before the current transaction, or before the one that failed. */
  #settled: View | undefined;
  /** A commit or a sync failed, so nothing more is written: the effect of another commit is unknown. */
  #failed = false;

  private constructor(parts: {
    readonly path: string;
    readonly lock: DirectoryLock;
    readonly root: RootDatabase<Buffer, Buffer>;
    readonly marker: Marker | undefined;
    readonly leftover: Leftover;
    readonly relaxed: boolean;
    readonly onDamage?: (error: Error) => void;
  }) {
    this.#onDamage = parts.onDamage ?? (() => {});
    this.#path = parts.path;
    this.#lock = parts.lock;
    this.#root = parts.root;
    this.storeId = parts.marker?.storeId ?? randomUUID();
    this.#record = new MarkerRecord(parts.path, this.storeId, parts.marker);
    this.leftover = parts.leftover;
    this.#relaxed = parts.relaxed;
    this.#checkpoints = this.#relaxed || this.leftover.kind !== 'closed' ? this.#newCheckpoints() : undefined;
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
    try {
      if (failedHere.has(realpathSync(path))) {
        throw new StoreOpenError(`${path} failed in this process, which can't open it again; start a new process`);
      }
      requireFiles(path);
      marker = readMarker(path);
      const checkAll = () => preflight?.({ directory: path, scope: 'everything' });
      const leftover = marker === undefined ? ({ kind: 'closed' } as const) : await restoreCheckpoint(path, checkAll);
      prepareFiles(path, marker);
      scope = leftover.kind === 'restored' ? 'roots' : scopeOf(path, marker);
      if (scope !== 'nothing') await preflight?.({ directory: path, scope });
      requireNewest(path, marker);
      const noSync = options.relaxed || options.bulk === true;
      const root = requireReadable(openRoot({ path, tables: options.tables, noSync }), path);
      environment = new LmdbEnvironment({ ...options, lock, root, marker, leftover });
    } catch (error) {
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
    await this.#execute(() => {});
    if (!isNew) {
      // A killed process may have committed a transaction that is not on the disk yet. Nobody may read it before.
      syncFile(join(this.#path, DATA_FILE));
      this.#takeFirstCheckpoint();
    }
    for (const name of tables) {
      this.#tables.set(name, this.#root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' }) as Table);
    }
    for (const file of [DATA_FILE, LOCK_FILE]) chmodSync(join(this.#path, file), 0o600);
    record();
    if (isNew) this.#takeFirstCheckpoint();
  }

  /** Returns a table that was opened. It counts the bytes that are written to it. */
  table(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`table ${name} was not opened`);
    return observed(table, this.#written);
  }

  /**
   * Runs `write` inside one write transaction. Resolves when the transaction is on the disk; a relaxed environment resolves when it is
   * committed. Rejects with ReadViewError when it did not begin, and with TransactionAbortedError when `write` threw: nothing is written
   * then. Rejects with LockLostError when another process has taken over the directory: nothing is written then and later. After any other
   * error, the content of the disk is unknown.
   */
  async transaction(write: () => void): Promise<void> {
    const wait = this.#checkpoints?.pace();
    if (wait !== undefined) await wait;
    // LMDB shows a commit to new views one sync before it is on the disk. Until then, reads use this older view.
    const settled = this.#newView();
    this.#settled = settled;
    let failed = false;
    try {
      await this.#execute(write);
    } catch (error) {
      failed = !(error instanceof TransactionAbortedError);
      throw error;
    } finally {
      // After some failures LMDB opens no views any more. Reads then use this view until the process ends.
      if (!failed) {
        this.#settled = undefined;
        settled.done();
        this.#root.resetReadTxn();
        for (const start of this.#afterTransaction.splice(0)) start();
      }
    }
  }

  /**
   * Returns a consistent view of the durable data. It does not change until `done`, and never shows a transaction that has not resolved.
   * Throws ReadViewError when all places for views are taken.
   */
  readView(): View {
    if (this.#settled === undefined) return this.#newView();
    this.#settled.use();
    return this.#settled;
  }

  /**
   * Returns the begin of the data file as of the last transaction, and a view that keeps every other page of this moment as it is. Bytes of
   * the file up to `usedBytes`, with `metaPages` at its begin, are a data file of this moment. Call it between two transactions.
   */
  capture(): Capture {
    if (this.#settled !== undefined) throw new Error('a transaction is in flight');
    return captureFile(join(this.#path, DATA_FILE), this.storeId, this.#newView());
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
    try {
      this.#lock.requireHeld();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /**
   * Puts everything committed so far on the disk, and saves a checkpoint of a relaxed environment. Rejects when the sync failed. Resolves
   * with an error when the checkpoint before stays the last one.
   */
  async checkpoint(): Promise<Error | undefined> {
    if (this.#settled !== undefined) await new Promise<void>((resolve) => this.#afterTransaction.push(resolve));
    if (this.#checkpoints === undefined) await this.#sync();
    return this.#checkpoints?.heldBytes === 0 ? undefined : this.#checkpoints?.take();
  }

  /** Removes the checkpoint of an earlier relaxed run, when this run syncs each transaction and has synced one. */
  async endCheckpoints(): Promise<void> {
    const checkpoints = this.#checkpoints;
    if (this.#relaxed) return;
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
      openView: () => this.#newView(),
      sync: () => this.#sync(),
      writtenBytes: () => this.#written.bytes,
      mostBytes: CHECKPOINT_BYTES,
      isRestored: this.leftover.kind === 'restored',
      mayWrite: () => this.#lock.isHeld,
    });
  }

  #sync(): Promise<void> {
    const root = this.#root as unknown as { sync(callback: (error?: unknown) => void): void };
    return new Promise((resolve, reject) => {
      root.sync((error) => {
        if (!(error instanceof Error)) return resolve();
        this.#failed = true;
        reject(error);
      });
    });
  }

  /** Returns the free bytes inside the data file. LMDB uses them before the file grows, unless a view still needs them. */
  reusableBytes(): number {
    return Math.max(0, (countBytes([...this.#tables.values()])?.free ?? 0) - (this.#checkpoints?.heldBytes ?? 0));
  }

  async #execute(write: () => void): Promise<void> {
    let thrown: { readonly cause: unknown } | undefined;
    const met: { damage: Error | undefined } = { damage: undefined };
    this.#written.bytes += TRANSACTION_BYTES;
    try {
      // lmdb commits a transaction whose callback throws. A child transaction is undone instead.
      await this.#root.childTransaction(() => {
        this.#writing = met;
        try {
          this.#lock.requireHeld();
          write();
          // LMDB has ended a transaction that met damage, whatever its writer made of the error.
          if (met.damage !== undefined) throw met.damage;
        } catch (cause) {
          thrown = { cause };
          throw cause;
        } finally {
          this.#writing = undefined;
        }
      });
    } catch (error) {
      if (met.damage === undefined && thrown?.cause === error && !(error instanceof LockLostError))
        throw new TransactionAbortedError({ cause: error });
      this.#failed = true;
      if (error instanceof LockLostError) throw error;
      throw await commitFailure(error, this.#root.committed);
    }
  }

  #suspect(error: Error): void {
    if (this.#writing !== undefined) this.#writing.damage = error;
    // LMDB refuses all further reads of the view that met the damage.
    else this.#root.resetReadTxn();
    this.#record.suspect();
    this.#onDamage(error);
  }

  #newView(): View {
    try {
      return this.#root.useReadTransaction() as View;
    } catch {
      try {
        // A killed process leaves its places taken; this call frees them.
        (this.#root as unknown as { readerCheck(): number }).readerCheck();
        return this.#root.useReadTransaction() as View;
      } catch (error) {
        throw new ReadViewError({ cause: error });
      }
    }
  }

  /**
   * Runs `last` in a final transaction, puts everything on the disk and closes. `closed` runs then, before the lock is released. No reads
   * may run. After a failure the environment is neither written nor closed, because closing writes too: it stays open until the process
   * ends, and only the lock of the directory is released.
   */
  async close(last: (() => void) | undefined, closed?: () => void): Promise<void> {
    try {
      if (!this.#lock.isHeld) this.#failed = true;
      if (last !== undefined && !this.#failed) await this.#execute(last);
      if (!this.#failed) await (this.#checkpoints?.takeLast() ?? this.#sync());
    } finally {
      if (this.#failed) failedHere.add(realpathSync(this.#path));
      else {
        this.#checkpoints?.release();
        await this.#root.close();
        // Without the last write, the checkpoint tells the next start that the process ended and the machine did not.
        if (last !== undefined || closed !== undefined) await this.#checkpoints?.end();
        closed?.();
        if (this.#lock.isHeld) this.#record.closed();
      }
      this.#lock.release();
    }
  }
}
