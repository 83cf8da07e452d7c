import { BucketCounts } from '../../logging/bucket-counts.js';

/**
 * How a call of a stream client ended. `refused`: the engine did not call the function. `error`: the function failed. `unknown`: nobody
 * knows whether it took effect.
 */
export type CallEnd = 'result' | 'error' | 'refused' | 'timeout' | 'unknown';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Figures of the calls of stream clients. */
export interface PageCallCounts {
  /** Calls that have no outcome yet. */
  running: number;
  /** Text length of the frames of these calls. */
  chars: number;
  readonly ended: Record<CallEnd, number>;
  /** Repeats that got the stored outcome of the first call. */
  replayed: number;
  /** Seconds from the frame of a call to its outcome. */
  readonly seconds: BucketCounts;
}

export function newPageCallCounts(): PageCallCounts {
  return {
    running: 0,
    chars: 0,
    ended: { result: 0, error: 0, refused: 0, timeout: 0, unknown: 0 },
    replayed: 0,
    seconds: new BucketCounts(SECONDS),
  };
}
