import { randomUUID } from 'node:crypto';
import type { Logger } from '../logging/logger.js';
import type { LmdbEnvironment } from '../storage/lmdb-environment.js';
import type { Tables } from './store-lmdb-batch.js';
import { anyHeld, firstExpiry } from './store-lmdb-expiry.js';
import { readState, type StoreState, writeState } from './store-lmdb-state.js';

export const TABLES = ['heads', 'items', 'order', 'versions', 'tombstones', 'expiries', 'keys', 'key_ages', 'meta'] as const;

/** What a store finds when it is opened. */
export interface Opened {
  readonly tables: Tables;
  readonly state: StoreState;
  readonly firstExpiry: number;
  readonly held: boolean;
}

const NEW_STATE = { nextGroup: 1, removedOffset: 0, removedTimestamp: 0, clean: true, run: 0, keys: 0, keyBytes: 0 };

interface Options {
  readonly path: string;
  readonly durability: 'commit' | 'relaxed';
  readonly logger: Logger;
}

/** Reads the state of the store, and makes known that it is open. */
export async function beginStore(environment: LmdbEnvironment, { path, durability, logger }: Options): Promise<Opened> {
  const tables = Object.fromEntries(TABLES.map((name) => [name, environment.table(name)])) as unknown as Tables;
  const known = readState(tables.meta);
  const state = known ?? { ...NEW_STATE, epoch: randomUUID() };
  if (!state.clean) {
    logger.warn('store_new_epoch', { path, reason: 'a relaxed store was not closed; commits of its last moments may be gone' });
    state.epoch = randomUUID();
  }
  state.clean = durability === 'commit';
  state.run++;
  let due = { firstExpiry: Number.POSITIVE_INFINITY, held: false };
  await environment.transaction(() => {
    writeState(tables.meta, state);
    due = { firstExpiry: firstExpiry(tables), held: anyHeld(tables, state.run) };
  });
  if (durability === 'relaxed') await environment.sync();
  return { tables, state, ...due };
}
