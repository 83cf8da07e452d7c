import { randomUUID } from 'node:crypto';
import type { LmdbEnvironment } from './env/environment.js';
import { StoreOpenError } from './env/store-open-error.js';
import { anyHeld, firstExpiry } from './maintenance/expiry.js';
import type { LmdbStoreOptions } from './options.js';
import type { HeadCache } from './tables/head-cache.js';
import { readState, type StoreState, writeState } from './tables/store-meta.js';
import { CHANGE_BYTES, DEFAULT_SPACE, RECORD_BYTES, StoreRoom } from './writing/disk-space.js';
import { TABLES, type Tables } from './writing/write-batch.js';

export interface Opened {
  readonly tables: Tables;
  readonly state: StoreState;
  readonly room: StoreRoom;
  /** When the first item goes; infinite when none does. */
  readonly firstExpiry: number;
  /** Something was held in an earlier run. */
  readonly held: boolean;
}

const NEW_STATE = { nextGroup: 1, removedOffset: 0, removedTimestamp: 0, clean: true, run: 0, runSaved: false, keys: 0, keyBytes: 0 };

/** Reads the state of the store, and makes known that it is open. */
export async function openTables(environment: LmdbEnvironment, options: LmdbStoreOptions): Promise<Opened> {
  const { path, durability, space = DEFAULT_SPACE, clock, logger } = options;
  const tables = Object.fromEntries(TABLES.map((name) => [name, environment.table(name)])) as unknown as Tables;
  const reusableBytes = () => environment.reusableBytes();
  const room = new StoreRoom({ path, limits: space, reusableBytes, monotonic: () => clock.monotonic(), logger });
  const known = readState(tables.meta);
  const state = known ?? { ...NEW_STATE, epoch: randomUUID() };
  if (!state.clean) {
    logger.warn('store_new_epoch', { path, reason: 'a relaxed store was not closed; commits of its last moments may be gone' });
    state.epoch = randomUUID();
  }
  const durable = durability === 'commit';
  // A durable store that is there is read, and its deletes go on, also while the disk is too full for this.
  if (known === undefined || !known.clean || !durable) {
    if (room.forDeletes() < CHANGE_BYTES) throw new StoreOpenError(`the disk of ${path} is full; give it room and start again`);
    const next = { ...state, clean: durable };
    await environment.transaction(() => writeState(tables.meta, next));
    if (!durable) await environment.sync();
    state.clean = durable;
  }
  state.run++;
  await room.prepare();
  const view = environment.readView();
  try {
    return { tables, state, room, firstExpiry: firstExpiry(tables, view), held: anyHeld(tables, state.run, view) };
  } finally {
    view.done();
  }
}

/**
 * What is written when the store closes; `undefined` when there is no room for it. Heads that are not settled jump ahead at the next start,
 * and a relaxed store that was not marked as closed begins a new epoch.
 */
export function lastWrite({
  tables,
  heads,
  state,
  room,
}: Pick<Opened, 'tables' | 'state' | 'room'> & { readonly heads: HeadCache }): (() => void) | undefined {
  const budget = room.forDeletes();
  if (budget < CHANGE_BYTES) return undefined;
  const settles = CHANGE_BYTES + heads.size * RECORD_BYTES <= budget;
  return () => {
    if (settles) heads.settle();
    writeState(tables.meta, { ...state, clean: true });
  };
}
