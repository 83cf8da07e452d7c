import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { BoundsOf } from '../bounds.js';
import type { PreflightEnding } from './checking/preflight.js';
import type { PreflightRequest } from './checking/run-preflight.js';
import type { CompactionLimits } from './copying/compact.js';
import type { LogLimits } from './log/commit-log.js';
import type { ViewLimits } from './reading/read-views.js';
import type { SpaceLimits } from './writing/disk-space.js';

export interface LmdbStoreOptions {
  /** The directory of the store. It is created if it does not exist. */
  readonly path: string;
  /**
   * `commit`: a write resolves when it is on the disk. `relaxed`: it resolves before; the store syncs every `saveIntervalMs` milliseconds
   * and begins a new epoch after a crash.
   */
  readonly durability: 'commit' | 'relaxed';
  readonly saveIntervalMs: number;
  /** How long `changes` reports a delete, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** Returns the bounds of the groups of a stream. @default no stream has bounds */
  readonly boundsOf?: BoundsOf;
  /**
   * When writes fail with STORE_FULL.
   *
   * @default less than 64 MiB or 2 percent of the disk are free; 16 MiB are kept for deletes
   */
  readonly space?: SpaceLimits;
  /**
   * When the store compacts its data file at its start; `false` for never.
   *
   * @default more than half of the file is free, it has at least 64 MiB, and at most 256 MiB are in use
   */
  readonly compaction?: CompactionLimits | false;
  /** Bounds of the log of a store with durability `commit`. @default two files of at most 16 MiB, a checkpoint for each 32 MiB written */
  readonly log?: LogLimits;
  /** When the store ends the view of a slow reader. @default `readViewMs` and `readViewBytes` of LIMITS */
  readonly views?: ViewLimits;
  /** How long `start` waits for another process that has the directory, in milliseconds. @default 0 */
  readonly lockWaitMs?: number;
  /** Ends that wait; `start` then rejects. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Where the store checks its file before LMDB opens it. `child`: in a process of its own, which also opens the file with LMDB, so that
   * unknown damage ends that process. `inline`: in this process, by our own reader only. A function does the work of that process; a
   * harness that opens thousands of stores gives one.
   * @default 'child'
   */
  readonly preflight?: 'child' | 'inline' | ((request: PreflightRequest) => Promise<PreflightEnding>);
  readonly clock: Clock;
  readonly logger: Logger;
}
