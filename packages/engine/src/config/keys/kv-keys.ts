import { z } from 'zod';
import { type Fields, type Keys, key, specialKey } from './key.js';
import { byteCount, flag, MIB, milliseconds, oneOf, wholeNumber } from './value-schemas.js';

/** Directories of the kv adapter when the file names none. They differ, so that streams and state never share data. */
export const DEFAULT_STORE_PATHS = { stream: './data/streams', state: './data/state' } as const;

/** Flush interval of a relaxed store, in milliseconds. */
const SAVE_INTERVAL = { fallback: 5_000, floor: 100, ceiling: 3_600_000 } as const;
export const SAVE_INTERVAL_BOUND = `a number, held within ${SAVE_INTERVAL.floor} to ${SAVE_INTERVAL.ceiling}; anything else is the default`;

/** Returns the flush interval. A value that is no positive number means the default, as in other engines. */
function saveInterval(value: unknown): number {
  if (typeof value !== 'number' || !(value > 0)) return SAVE_INTERVAL.fallback;
  return Math.min(Math.max(Math.floor(value), SAVE_INTERVAL.floor), SAVE_INTERVAL.ceiling);
}

/** Keys that are fields of a store on disk. */
export const LMDB_KEYS = {
  durability: key(
    'durability',
    oneOf(['commit', 'relaxed'], 'commit'),
    '`commit` answers a write when it is on disk. `relaxed` answers before; a power cut takes it back to its last checkpoint ([operations.md](operations.md#power-cuts))',
  ),
  saveIntervalMs: key(
    'save_interval_ms',
    z.unknown().optional().transform(saveInterval).describe(SAVE_INTERVAL_BOUND),
    'Time between checkpoints of a relaxed store',
  ),
  lockWaitMs: key(
    'lock_wait_ms',
    milliseconds(0, { min: 0, max: 3_600_000 }),
    'How long a start waits for another engine that has the directory ([operations.md](operations.md#two-engines-one-directory))',
  ),
  compactAtStart: key('compact_at_start', flag(true), 'Whether a start [compacts](backup.md#compact) a data file that is mostly free'),
} as const satisfies Keys;

/** Keys that bound the free disk space. The store refuses writes when less is free than the larger of the two minima. */
export const SPACE_KEYS = {
  minFreeBytes: key(
    'min_free_bytes',
    byteCount(64 * MIB, 0, 1_048_576 * MIB),
    'With less free disk space, writes fail with `STORE_FULL` ([operations.md](operations.md#the-disk-is-full))',
  ),
  minFreePercent: key('min_free_percent', wholeNumber(2, 0, 50), 'The same in percent of the disk. The larger of the two counts'),
  ballastBytes: key(
    'ballast_bytes',
    byteCount(16 * MIB, 0, 1_024 * MIB),
    'Disk space that a file reserves, so that items can be deleted on a full disk. 0 means none',
  ),
} as const satisfies Keys;

export interface StoreSpace extends Fields<typeof SPACE_KEYS> {}

export interface LmdbStoreConfig extends Omit<Fields<typeof LMDB_KEYS>, 'lockWaitMs' | 'compactAtStart'> {
  readonly kind: 'lmdb';
  /** How long a start waits for another engine that has the directory, in milliseconds. @default 0 */
  readonly lockWaitMs?: number;
  /** Absolute path of the directory. */
  readonly path: string;
  /** @default true */
  readonly compactAtStart?: boolean;
  /** Absent means the defaults of the store, which are those of the file. */
  readonly space?: StoreSpace;
}

const PATH_BOUND = 'a directory';

function kvKeys(path: string) {
  const directory = z
    .string({ error: PATH_BOUND })
    .min(1, { error: PATH_BOUND })
    .max(4_096, { error: PATH_BOUND })
    .default(path)
    .describe(PATH_BOUND);
  return {
    storeMethod: specialKey(
      'store_method',
      oneOf(['in_memory', 'file_based'], 'in_memory'),
      'Place of the items. The engine warns of `in_memory` at the start, because a restart loses the data',
    ),
    filePath: specialKey('file_path', directory, 'Directory of the store, even if the name ends in `.db`'),
    ...LMDB_KEYS,
    ...SPACE_KEYS,
    channelSize: specialKey('channel_size', z.unknown().optional().describe('anything; ignored'), 'Key of older files'),
  } as const satisfies Keys;
}

/** Keys of the adapter `kv` of each worker that keeps items. */
export const KV_KEYS = { stream: kvKeys(DEFAULT_STORE_PATHS.stream), state: kvKeys(DEFAULT_STORE_PATHS.state) } as const;
