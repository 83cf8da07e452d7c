import { RivuletError } from '@rivulet/protocol';
import { LockLostError } from '../env/directory-lock.js';
import { ReadViewError, TransactionAbortedError } from '../env/environment.js';
import { NoRoomError } from '../env/free-space.js';
import { storeFull } from './disk-space.js';

/** Returns whether the failed transaction left the environment as it was before. */
export function isUntouched(error: unknown): error is ReadViewError | TransactionAbortedError {
  return error instanceof ReadViewError || error instanceof TransactionAbortedError;
}

/** Returns the error for callers whose write was not executed; a later write may succeed. */
export function refused(error: ReadViewError | TransactionAbortedError): RivuletError {
  if (error.cause instanceof NoRoomError) return storeFull();
  const reason = error instanceof ReadViewError ? 'all places for readers of the store are taken' : 'the write failed';
  return new RivuletError('STORE_UNAVAILABLE', `${reason}; nothing was written, try again later`, { cause: error });
}

/** Returns the text of an error with that of its cause, for the log. */
export function causeOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** Returns the error for callers of a store that is read-only after a failed commit, or that has lost its directory. */
export function unavailable(cause: unknown): RivuletError {
  if (cause instanceof LockLostError) {
    return new RivuletError('STORE_UNAVAILABLE', 'another engine has taken over the data; connect to that engine', { cause });
  }
  return new RivuletError('STORE_UNAVAILABLE', 'the store is read-only after a failed write; restart the engine when the disk is well', {
    cause,
  });
}
