import { randomUUID } from 'node:crypto';
import type { LmdbEnvironment } from '../storage/lmdb-environment.js';
import { StoreOpenError } from '../storage/store-open-error.js';
import type { LmdbStoreOptions } from './store-lmdb.js';
import { TABLES, type Tables } from './store-lmdb-batch.js';
import type { HeadCache } from './store-lmdb-heads.js';
import { CHANGE_BYTES, DEFAULT_SPACE, RECORD_BYTES, StoreRoom } from './store-lmdb-room.js';
import { readState, type StoreState, writeState } from './store-lmdb-state.js';

export interface Opened {
  readonly tables: Tables;
  readonly state: StoreState;
  readonly room: StoreRoom;
}

const NEW_STATE = { nextGroup: 1, removedOffset: 0, removedTimestamp: 0, clean: true, run: 0, keys: 0, keyBytes: 0 };

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
  state.run++;
  const next = { ...state, clean: durable };
  const hasRoom = room.forDeletes() >= CHANGE_BYTES;
  // A durable store that is there is read, and its deletes go on, also while the disk is too full for this: nothing is held in such a run.
  if (!hasRoom && (known === undefined || !known.clean || !durable))
    throw new StoreOpenError(`the disk of ${path} is full; give it room and start again`);
  if (hasRoom) {
    await environment.transaction(() => writeState(tables.meta, next));
    if (!durable) await environment.sync();
  }
  state.clean = durable;
  await room.prepare();
  return { tables, state, room };
}

/**
 * What is written when the store closes; `undefined` when there is no room for it. Heads that are not settled jump ahead at the next start,
 * and a relaxed store that was not marked as closed begins a new epoch.
 */
export function lastWrite({ tables, heads, state, room }: Opened & { readonly heads: HeadCache }): (() => void) | undefined {
  const budget = room.forDeletes();
  if (budget < CHANGE_BYTES) return undefined;
  const settles = CHANGE_BYTES + heads.size * RECORD_BYTES <= budget;
  return () => {
    if (settles) heads.settle();
    writeState(tables.meta, { ...state, clean: true });
  };
}
