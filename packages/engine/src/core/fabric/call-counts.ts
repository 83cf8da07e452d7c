import { BucketCounts } from '../../logging/bucket-counts.js';

/** Counts of the calls and firings of one engine. All but `running` only grow. */
export interface CallCounts {
  /** Calls of functions of the engine, of functions of workers, and of functions that nobody has registered. */
  engine: number;
  worker: number;
  notFound: number;
  /** Calls of functions of the engine, and of workers, that ended with an error. */
  engineFailed: number;
  workerFailed: number;
  /** Calls that workers have not answered yet. */
  running: number;
  /** Seconds from a call until its worker has answered. */
  readonly seconds: BucketCounts;
  /** Calls of the functions of bindings, firings that a condition has prevented, and firings that failed. */
  fired: number;
  skipped: number;
  fireFailed: number;
}

const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function newCallCounts(): CallCounts {
  const none = { engine: 0, worker: 0, notFound: 0, engineFailed: 0, workerFailed: 0, running: 0, fired: 0, skipped: 0, fireFailed: 0 };
  return { ...none, seconds: new BucketCounts(CALL_SECONDS) };
}
