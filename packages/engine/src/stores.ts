/** The stores of the engine, for adapters that put something of their own in front of one; and what every store does alike. */

export { type Effect, effectOf } from './store/change-effect.js';
export { requireId } from './store/ids.js';
export { valueIdOf } from './store/shared/value-id.js';
export type * from './store/store.js';
export { createLmdbStore, type LmdbStoreOptions } from './store/store-lmdb.js';
export { createMemoryStore, type MemoryStoreOptions } from './store/store-memory.js';
export { createRedisStore, type RedisStoreOptions } from './store/store-redis.js';
export { type Ground, planWrite, type Standing, type Step, type WritePlan } from './store/write-plan.js';
