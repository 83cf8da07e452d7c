import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { ViewLimits } from './reading/read-views.js';
import type { SpaceLimits } from './writing/disk-space.js';

export interface LmdbStoreOptions {
  /** Directory; created if missing. */
  readonly path: string;
  /** `commit`: acknowledged when on the disk. `relaxed`: acknowledged before, on the disk every `saveIntervalMs`, a new epoch after a crash. */
  readonly durability: 'commit' | 'relaxed';
  readonly saveIntervalMs: number;
  /** How long a delete stays known to `changes`, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** When a disk that fills up makes writes fail with STORE_FULL. Default: below 64 MiB or 2 percent free, 16 MiB kept for deletes. */
  readonly space?: SpaceLimits;
  /** When a view of a reader that is too slow ends. Default: `readViewMs` and `readViewBytes` of LIMITS. */
  readonly views?: ViewLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}
