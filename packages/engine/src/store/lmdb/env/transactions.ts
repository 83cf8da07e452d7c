import type { RootDatabase } from 'lmdb';
import type { RecordBuffer } from '../log/log-record.js';
import { LockLostError } from './directory-lock.js';
import { commitFailure } from './store-open-error.js';
import { TRANSACTION_BYTES, type View } from './table.js';

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

/** Opens a view of the newest data. Throws ReadViewError when all places for views are taken. */
export function newView(root: RootDatabase<Buffer, Buffer>): View {
  try {
    return root.useReadTransaction() as View;
  } catch {
    try {
      // A killed process leaves its places taken; this call frees them.
      (root as unknown as { readerCheck(): number }).readerCheck();
      return root.useReadTransaction() as View;
    } catch (error) {
      throw new ReadViewError({ cause: error });
    }
  }
}

/** How LMDB writes the pages of a transaction. `here`: on this thread, which costs less. `elsewhere`: the event loop turns meanwhile. */
export type Place = 'here' | 'elsewhere';

export interface TransactionsContext {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly lock: { requireHeld(): void };
  /** A commit of LMDB does not wait for the disk. Otherwise it never happens on this thread. */
  readonly noSync: boolean;
  /** Counts the bytes that are written to the data file. */
  readonly written: { bytes: number };
  /** Collects the changes of each transaction for the log. */
  readonly record: RecordBuffer | undefined;
}

/** A transaction on its way. */
interface Running {
  readonly callback: () => void;
  /** Its number, when the callback has ended. */
  transaction: number;
  /** The error of the callback. */
  thrown: { readonly cause: unknown } | undefined;
  /** The damage that LMDB met. */
  damage: Error | undefined;
}

/** Commits transactions to LMDB, one at a time. */
export class Transactions {
  readonly #context: TransactionsContext;
  /** A commit or a sync failed, so nothing more may be written: the effect of another commit is unknown. */
  hasFailed = false;
  #writing: Running | undefined;

  constructor(context: TransactionsContext) {
    this.#context = context;
  }

  /** Commits what `write` does, and returns the number of the transaction. Rejects as `LmdbEnvironment.transaction` does. */
  async run(write: () => void, place: Place): Promise<number> {
    const { root, written, record, noSync } = this.#context;
    const isHere = place === 'here' && noSync;
    written.bytes += TRANSACTION_BYTES;
    record?.clear();
    const run = this.#prepare(write);
    try {
      // lmdb commits an asynchronous transaction whose callback throws. A child transaction is undone instead.
      if (isHere) root.transactionSync(run.callback);
      else await root.childTransaction(run.callback);
    } catch (error) {
      if (run.damage === undefined && run.thrown?.cause === error && !(error instanceof LockLostError))
        throw new TransactionAbortedError({ cause: error });
      this.hasFailed = true;
      if (isHere || error instanceof LockLostError) throw error;
      throw await commitFailure(error, root.committed);
    }
    return run.transaction;
  }

  /** Throws when a commit or a sync has failed. */
  requireWorking(): void {
    if (this.hasFailed) throw new Error('the environment has failed; nothing more is written');
  }

  /** Returns whether a write runs, which then fails because of the damage. */
  meet(damage: Error): boolean {
    if (this.#writing === undefined) return false;
    this.#writing.damage = damage;
    return true;
  }

  /** Puts everything that was committed on the disk. Nothing more may be written when that fails. */
  sync(): Promise<void> {
    const root = this.#context.root as unknown as { sync(callback: (error?: unknown) => void): void };
    return new Promise((resolve, reject) => {
      root.sync((error) => {
        if (!(error instanceof Error)) return resolve();
        this.hasFailed = true;
        reject(error);
      });
    });
  }

  /** Runs `work`. Nothing more may be written when it fails; `failed` runs then. */
  async guard(work: () => Promise<void>, failed: () => void): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.hasFailed = true;
      failed();
      throw error;
    }
  }

  /** Throws LockLostError when another process has taken over the directory. Nothing is written from then on. */
  requireOwned(): void {
    try {
      this.#context.lock.requireHeld();
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
  }

  #prepare(write: () => void): Running {
    const { root, lock } = this.#context;
    const run: Running = {
      transaction: 0,
      thrown: undefined,
      damage: undefined,
      callback: () => {
        this.#writing = run;
        try {
          lock.requireHeld();
          write();
          // LMDB has ended a transaction that met damage, whatever its writer made of the error.
          if (run.damage !== undefined) throw run.damage;
          run.transaction = root.getWriteTxnId();
        } catch (cause) {
          run.thrown = { cause };
          throw cause;
        } finally {
          this.#writing = undefined;
        }
      },
    };
    return run;
  }
}
