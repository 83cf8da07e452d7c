import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreFactory } from '@rivulet/conformance/store-contract';
import { silentLogger } from '@rivulet/engine/parts';
import type { BoundsOf, StreamStore } from '@rivulet/engine/store';
import {
  createLmdbStore,
  createMemoryStore,
  createRedisStore,
  type LmdbStoreOptions,
  type RedisStoreOptions,
} from '@rivulet/engine/stores';

const WEEK = 7 * 86_400_000;

/** Creates memory stores. `monotonic` replaces the monotonic clock. */
export function memoryFactory(monotonic = () => performance.now()): StoreFactory {
  const create = (now: () => number, boundsOf?: BoundsOf) =>
    Promise.resolve(createMemoryStore({ clock: { now, monotonic }, tombstoneRetentionMs: WEEK, ...(boundsOf && { boundsOf }) }));
  return { persistent: false, bounded: true, create, reopen: create, dispose: () => Promise.resolve() };
}

export function lmdbFactory(
  durability: 'commit' | 'relaxed' = 'commit',
  monotonic = () => performance.now(),
  views?: LmdbStoreOptions['views'],
): StoreFactory & { readonly directory: () => string } {
  let directory = '';
  const open = (now: () => number, boundsOf?: BoundsOf) =>
    createLmdbStore({
      path: join(directory, 'streams.db'),
      durability,
      saveIntervalMs: 100,
      tombstoneRetentionMs: WEEK,
      ...(views === undefined ? {} : { views }),
      ...(boundsOf && { boundsOf }),
      clock: { now, monotonic },
      logger: silentLogger,
    });
  return {
    persistent: true,
    bounded: true,
    directory: () => join(directory, 'streams.db'),
    create: async (now, boundsOf) => {
      directory = await mkdtemp(join(tmpdir(), 'rivulet-store-'));
      return open(now, boundsOf);
    },
    reopen: (now, boundsOf) => Promise.resolve(open(now, boundsOf)),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Creates stores over one Redis. Each store has keys of its own. */
export function redisFactory(
  { url, servers }: Pick<RedisStoreOptions, 'url' | 'servers'>,
  monotonic = () => performance.now(),
): StoreFactory & { open(now: () => number, boundsOf?: BoundsOf): StreamStore } {
  let keyPrefix = '';
  const open = (now: () => number, boundsOf?: BoundsOf) =>
    createRedisStore({
      url,
      servers,
      keyPrefix,
      connectTimeoutMs: 5_000,
      commandTimeoutMs: 2_000,
      tombstoneRetentionMs: WEEK,
      ...(boundsOf && { boundsOf }),
      clock: { now, monotonic },
      logger: silentLogger,
    });
  return {
    persistent: true,
    bounded: true,
    create: (now, boundsOf) => {
      keyPrefix = `test-${randomUUID()}`;
      return Promise.resolve(open(now, boundsOf));
    },
    reopen: (now, boundsOf) => Promise.resolve(open(now, boundsOf)),
    open,
    dispose: () => Promise.resolve(),
  };
}

/** Deletes the expired items of a store of the engine, as its timer does. */
export async function expireNow(store: StreamStore): Promise<void> {
  if (!('expireNow' in store) || typeof store.expireNow !== 'function') throw new Error('not a store of the engine');
  await (store.expireNow as () => Promise<void>).call(store);
}
