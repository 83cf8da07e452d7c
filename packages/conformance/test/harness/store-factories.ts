import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreFactory } from '@rivulet/conformance/store-contract';
import { silentLogger } from '../../../engine/src/logging/logger.js';
import { createLmdbStore } from '../../../engine/src/store/store-lmdb.js';
import { createMemoryStore } from '../../../engine/src/store/store-memory.js';

const WEEK = 7 * 86_400_000;

export function memoryFactory(): StoreFactory {
  const create = (now: () => number) =>
    Promise.resolve(createMemoryStore({ clock: { now, monotonic: () => performance.now() }, tombstoneRetentionMs: WEEK }));
  return { persistent: false, create, reopen: create, dispose: () => Promise.resolve() };
}

export function lmdbFactory(durability: 'commit' | 'relaxed' = 'commit'): StoreFactory & { readonly directory: () => string } {
  let directory = '';
  const open = (now: () => number) =>
    createLmdbStore({
      path: join(directory, 'streams.db'),
      durability,
      saveIntervalMs: 100,
      tombstoneRetentionMs: WEEK,
      clock: { now, monotonic: () => performance.now() },
      logger: silentLogger,
    });
  return {
    persistent: true,
    directory: () => join(directory, 'streams.db'),
    create: async (now) => {
      directory = await mkdtemp(join(tmpdir(), 'rivulet-store-'));
      return open(now);
    },
    reopen: (now) => Promise.resolve(open(now)),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}
