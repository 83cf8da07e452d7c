import { BucketCounts } from '../logging/bucket-counts.js';
import type { StreamStore } from './store.js';

/**
 * Whether a store works now. `full`: it takes only writes that free space. `failed`: it is read-only until the engine restarts.
 * `unavailable`: it is not open, or has lost its backend or a part of it.
 */
export type StoreState = 'ok' | 'full' | 'failed' | 'unavailable';

/** Figures of a store for operators. Counters only grow. Reading them costs microseconds. */
export interface StoreFigures {
  readonly backend: 'lmdb' | 'redis';
  readonly state: StoreState;
  /** Changes that wait for a transaction or a reply of the server. */
  readonly queued: number;
  readonly commits: CommitFigures;
  /** The disk of a store that has one. */
  readonly disk?: DiskFigures | undefined;
  /** The server of a store that has one. */
  readonly server?: ServerFigures | undefined;
}

/** Returns counters that begin at zero. */
export function newCommitFigures(): CommitFigures {
  return { changes: 0, failed: 0, seconds: new BucketCounts(COMMIT_SECONDS), batch: new BucketCounts(BATCH_SIZES) };
}

const COMMIT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/** Counters of the transactions of a store. */
export interface CommitFigures {
  /** Changes that became durable. */
  changes: number;
  /** Writes that failed because of the store, such as a full disk. */
  failed: number;
  /** Seconds from the begin of a transaction until it is durable. */
  readonly seconds: BucketCounts;
  /** Writes in one transaction. */
  readonly batch: BucketCounts;
}

export interface DiskFigures {
  /** Bytes of the data file, with those that hold nothing. */
  readonly dataBytes: number;
  /** Bytes of the data file that hold nothing and will be used again. */
  readonly reusableBytes: number;
  /** Bytes that the process may still use on the disk. `undefined`: the file system does not report it. */
  readonly freeBytes: number | undefined;
  /** Free bytes below which the store refuses writes. */
  readonly neededBytes: number;
  /** Reads that the store has ended because their readers were too slow. */
  readonly endedReads: number;
}

export interface ServerFigures {
  /** Whether every server of the store is connected and has sent its canary. */
  readonly connected: boolean;
  /** How often a connection to a server was lost. */
  readonly lost: number;
}

/** A store that reports figures. The stores of the engine do, except for the one in memory, which has nothing to report. */
export interface MeasuredStore extends StreamStore {
  figures(): StoreFigures;
}

/** Returns the figures of a store, or `undefined` if it reports none. */
export function figuresOf(store: StreamStore | undefined): StoreFigures | undefined {
  return store !== undefined && 'figures' in store ? (store as MeasuredStore).figures() : undefined;
}
