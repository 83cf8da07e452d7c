import { RivuletError } from '@rivulet/protocol';

/** What the server says when its memory is full. */
const FULL = /^OOM /;

/** A failure of the server or of the way to it, as the code of ours that fits. */
export function redisError(error: unknown): RivuletError {
  if (error instanceof RivuletError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (FULL.test(text)) return new RivuletError('STORE_FULL', 'Redis has no memory left (maxmemory); delete something or give it more');
  return unavailable(text);
}

export function unavailable(why: string): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', `Redis does not answer (${why}); a write that was on its way may have been carried out`);
}
