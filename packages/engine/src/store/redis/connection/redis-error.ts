import { RivuletError } from '@rivulet/protocol';
import { messageOf } from '../../../structures/message-of.js';

/** Matches the error of a server whose memory is full. */
const FULL = /^OOM /;

/** Returns the error as STORE_FULL or STORE_UNAVAILABLE. Errors of the engine stay as they are. */
export function redisError(error: unknown): RivuletError {
  if (error instanceof RivuletError) return error;
  const text = messageOf(error);
  if (FULL.test(text)) return new RivuletError('STORE_FULL', 'Redis has no memory left (maxmemory); delete something or give it more');
  return unavailable(text);
}

export function unavailable(why: string): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', `Redis does not answer (${why}); a write that was on its way may have been executed`);
}
