/** The stores of the engine, for adapters that wrap one of them, and the functions that all stores share. */

import type { GroupRead, ItemState } from './store/shared/write-plan.js';

export { createLmdbStore } from './store/lmdb/lmdb-store.js';
export type { LmdbStoreOptions } from './store/lmdb/options.js';
export { createMemoryStore, type MemoryStoreOptions } from './store/memory/memory-store.js';
export { createRedisStore, type RedisStoreOptions } from './store/redis/redis-store.js';
export { type Effect, effectOf } from './store/shared/change-effect.js';
export { requireId } from './store/shared/ids.js';
export { valueIdOf } from './store/shared/value-id.js';
export { type GroupRead, type ItemState, planWrite, type Step, type WritePlan } from './store/shared/write-plan.js';
export type * from './store/store.js';

/** @deprecated Use `GroupRead`. */
export type Ground = GroupRead;
/** @deprecated Use `ItemState`. */
export type Standing = ItemState;
