/** The stores of the engine, for adapters that put something of their own in front of one; and what every store does alike. */

export { createLmdbStore } from './store/lmdb/lmdb-store.js';
export type { LmdbStoreOptions } from './store/lmdb/options.js';
export { createMemoryStore, type MemoryStoreOptions } from './store/memory/memory-store.js';
export { createRedisStore, type RedisStoreOptions } from './store/redis/redis-store.js';
export { type Effect, effectOf } from './store/shared/change-effect.js';
export { requireId } from './store/shared/ids.js';
export { valueIdOf } from './store/shared/value-id.js';
export { type Ground, planWrite, type Standing, type Step, type WritePlan } from './store/shared/write-plan.js';
export type * from './store/store.js';
