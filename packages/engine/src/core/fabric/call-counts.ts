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
  /** Counts of the firings of each trigger type of the engine. Types of workers are not here: the engine does not fire them. */
  readonly triggers: Map<string, TriggerCounts>;
}

/** Counts of the firings of one trigger type. All but `queued` only grow. */
export interface TriggerCounts {
  /** Calls of the functions of bindings. */
  fired: number;
  /** Firings that a condition has prevented. */
  skipped: number;
  /** Firings whose function or condition failed. */
  failed: number;
  /** Firings that were dropped, because too many waited. */
  dropped: number;
  /** Firings that wait for earlier ones now. */
  queued: number;
}

const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function newCallCounts(): CallCounts {
  const none = { engine: 0, worker: 0, notFound: 0, engineFailed: 0, workerFailed: 0, running: 0 };
  return { ...none, seconds: new BucketCounts(CALL_SECONDS), triggers: new Map() };
}

/** Returns the counts of a trigger type, which begin at 0. Only the engine names types, so their number is small. */
export function triggerCountsOf({ triggers }: CallCounts, type: string): TriggerCounts {
  let counts = triggers.get(type);
  if (counts === undefined) {
    counts = { fired: 0, skipped: 0, failed: 0, dropped: 0, queued: 0 };
    triggers.set(type, counts);
  }
  return counts;
}
