import { randomUUID } from 'node:crypto';
import type { LmdbEnvironment } from './env/environment.js';
import { StoreOpenError } from './env/store-open-error.js';
import { firstExpiry, hasOldLeases } from './maintenance/expiry.js';
import type { LmdbStoreOptions } from './options.js';
import type { HeadCache } from './tables/head-cache.js';
import { readState, type StoreState, writeState } from './tables/store-meta.js';
import { TABLES, type Tables } from './tables/tables.js';
import { CHANGE_BYTES, DEFAULT_SPACE, DiskBudget, RECORD_BYTES } from './writing/disk-space.js';

export interface Opened {
  readonly tables: Tables;
  readonly state: StoreState;
  readonly disk: DiskBudget;
  /** Time at which the first item expires, in Unix milliseconds; infinite when none does. */
  readonly firstExpiry: number;
  /** Items are leased that an earlier run of the store leased. */
  readonly hasOldLeases: boolean;
}

const NEW_STATE = { nextGroup: 1, removedOffset: 0, removedTimestamp: 0, clean: true, run: 0, runSaved: false, keys: 0, keyBytes: 0 };

/**
 * Reads the state of the store and marks it as open on the disk. Begins a new epoch when the machine stopped while a relaxed store was
 * open. Rejects with StoreOpenError when the disk has no space for the mark.
 */
export async function openTables(environment: LmdbEnvironment, options: LmdbStoreOptions): Promise<Opened> {
  const { path, durability, space = DEFAULT_SPACE, clock, logger } = options;
  const tables = Object.fromEntries(TABLES.map((name) => [name, environment.table(name)])) as unknown as Tables;
  const reusableBytes = () => environment.reusableBytes();
  const disk = new DiskBudget({ path, limits: space, reusableBytes, monotonic: () => clock.monotonic(), logger });
  const known = readState(tables.meta);
  const { storeId, leftover } = environment;
  if (known?.storeId !== undefined && known.storeId !== storeId)
    throw new StoreOpenError(`the data file in ${path} belongs to another store; restore the whole directory from a backup`, {
      code: 'CORRUPT_STORE',
    });
  const state = { ...(known ?? { ...NEW_STATE, epoch: randomUUID() }), storeId };
  if (!state.clean && leftover.kind !== 'whole') {
    const since = leftover.kind === 'restored' ? { lost_since: leftover.savedAt } : {};
    const reason = 'the machine stopped while a relaxed store was open, so its last writes are lost';
    logger.warn('store_new_epoch', { path, reason, ...since });
    state.epoch = randomUUID();
  }
  const durable = durability === 'commit';
  // A durable store that exists needs no mark: it opens on a full disk too, and then allows reads and deletes.
  if (known === undefined || !known.clean || !durable) {
    if (disk.forDeletes() < CHANGE_BYTES) throw new StoreOpenError(`the disk of ${path} is full; give it room and start again`);
    const next = { ...state, clean: durable };
    await environment.transaction(() => writeState(tables.meta, next));
    environment.confirmLoss();
    if (!durable) await environment.checkpoint();
    state.clean = durable;
  } else environment.confirmLoss();
  await environment.endCheckpoints();
  state.run++;
  await disk.prepare();
  const view = environment.readView();
  try {
    return { tables, state, disk, firstExpiry: firstExpiry(tables, view), hasOldLeases: hasOldLeases(tables, state.run, view) };
  } finally {
    view.done();
  }
}

/**
 * Returns the last write of a store that closes; `undefined` when the disk has no space for it. Without this write, offsets of groups with
 * events jump ahead at the next start, and a relaxed store begins a new epoch.
 */
export function lastWrite({
  tables,
  heads,
  state,
  disk,
}: Pick<Opened, 'tables' | 'state' | 'disk'> & { readonly heads: HeadCache }): (() => void) | undefined {
  const budget = disk.forDeletes();
  if (budget < CHANGE_BYTES) return undefined;
  const settles = CHANGE_BYTES + heads.size * RECORD_BYTES <= budget;
  return () => {
    if (settles) heads.settle();
    writeState(tables.meta, { ...state, clean: true });
  };
}
