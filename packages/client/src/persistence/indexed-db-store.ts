import type { PersistStore } from './persist-store.js';

/**
 * Returns a store that keeps the copies of at most 64 targets in the database `rivulet:<name>` of this origin. The values are kept as they
 * came. So give each user of a shared browser a name, and delete the database with `indexedDB.deleteDatabase` when the user signs out.
 */
export function indexedDbStore(name: string): PersistStore {
  let loading: Promise<PersistStore> | undefined;
  const store = async () => {
    loading ??= import('./persistence.js').then((module) => module.indexedDbStore(name));
    try {
      return await loading;
    } catch (error) {
      loading = undefined;
      throw error;
    }
  };
  return {
    load: async (key) => (await store()).load(key),
    save: async (key, batch, mayWrite) => (await store()).save(key, batch, mayWrite),
    discard: async (key) => (await store()).discard(key),
  };
}
