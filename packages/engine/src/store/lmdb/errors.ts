import { RivuletError } from '@rivulet/protocol';
import { ReadViewError, TransactionAbortedError } from './env/environment.js';

export function notOpen(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
}

/** The environment is as it was before. */
export function untouched(error: unknown): error is ReadViewError | TransactionAbortedError {
  return error instanceof ReadViewError || error instanceof TransactionAbortedError;
}

export function refused(error: ReadViewError | TransactionAbortedError): RivuletError {
  const reason = error instanceof ReadViewError ? 'all places for readers of the store are taken' : 'the write could not be carried out';
  return new RivuletError('STORE_UNAVAILABLE', `${reason}; nothing was written, try again later`, { cause: error });
}

export function told(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

export function unavailable(cause: unknown): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is read-only after a failed write; restart the engine when the disk is well', {
    cause,
  });
}
