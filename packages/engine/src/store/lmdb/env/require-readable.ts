import { StoreOpenError } from './store-open-error.js';

/** The part of an LMDB environment that opens a view, and ends the one of lmdb itself. */
interface Opened {
  useReadTransaction(): { done(): void };
  resetReadTxn(): void;
}

/**
 * Returns a new environment if this process can read it. Throws StoreOpenError when a process with the same pid, in another PID namespace,
 * has the data file open: LMDB tells readers apart by their pid. It tries for ten seconds, and a later read would end this process.
 */
export function requireReadable<Root extends Opened>(root: Root, directory: string): Root {
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
