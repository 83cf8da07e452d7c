// Opens the store in a directory, as an engine with the default configuration does. Used by the programs that tests run as processes.
import { createLmdbStore } from '@rivulet/engine/stores';

const silent = () => {};

/** Resolves with a started store. `more` are options beside those of the default configuration. */
export async function openStore(path, more = {}) {
  const store = createLmdbStore({
    path,
    durability: 'commit',
    saveIntervalMs: 1_000,
    tombstoneRetentionMs: 86_400_000,
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    ...more,
  });
  await store.start({ onCommit: silent, onBreak: silent });
  return store;
}
