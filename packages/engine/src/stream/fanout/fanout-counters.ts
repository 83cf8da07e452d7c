import type { SyncReason } from '@rivulet/protocol';
import { BucketCounts } from '../../logging/bucket-counts.js';

/** How a subscription reached the head of its group: by frames of the log, by each changed item once, or by a `sync`. */
export type CatchUpKind = 'log' | 'changes' | 'sync';

/** Why a subscription needed a `sync` although it had been served before. `behind`: the log does not reach back to its cursor. */
export type ResyncReason = SyncReason | 'behind';

/** Why a join had no effect. `refused`: a join function refused it. `failed`: no join function could decide. */
export type JoinRefusal = 'refused' | 'failed' | 'invalid_id' | 'too_many';

/** Figures of the fan-out for tests and operators, beside those of each stream. They only grow. */
export interface HubCounters {
  /** Flushes of a group. */
  flushes: number;
  /** Groups that were forgotten before their time, because too many lingered. */
  evicted: number;
  readonly refusedJoins: Record<JoinRefusal, number>;
  /** Cursors that the log could not serve, so that they got a `sync`. */
  resynced: number;
  readonly catchUps: Record<CatchUpKind, number>;
  readonly resyncs: Record<ResyncReason, number>;
  /** Changes in one flush of a group. */
  readonly batch: BucketCounts;
  /** Seconds from the first change of a flush to the flush. */
  readonly wait: BucketCounts;
}

const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];
const WAIT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export function newHubCounters(): HubCounters {
  return {
    flushes: 0,
    evicted: 0,
    refusedJoins: { refused: 0, failed: 0, invalid_id: 0, too_many: 0 },
    resynced: 0,
    catchUps: { log: 0, changes: 0, sync: 0 },
    resyncs: { epoch: 0, floor: 0, ahead: 0, malformed: 0, backend: 0, restarted: 0, behind: 0 },
    batch: new BucketCounts(BATCH_SIZES),
    wait: new BucketCounts(WAIT_SECONDS),
  };
}
