import type { PersistBatch, PersistedHead, PersistStore } from './persist-store.js';

/** The most targets that are kept. The target that was saved longest ago is deleted first. */
const MOST_TARGETS = 64;
const HEADS = 'heads';
const ITEMS = 'items';

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave up'));
  });
}

/** Returns the range of all items of a key. IndexedDB sorts `[key, id]` after `[key]`, and texts before lists. */
function itemsOf(key: string): IDBKeyRange {
  return IDBKeyRange.bound([key], [key, []]);
}

/**
 * Returns a store that keeps the copies of at most 64 targets in the database `rivulet:<name>` of this origin. The values are kept as they
 * came. So give each user of a shared browser a name, and delete the database with `indexedDB.deleteDatabase` when the user signs out.
 */
export function indexedDbStore(name: string): PersistStore {
  let opening: Promise<IDBDatabase> | undefined;
  const open = async (): Promise<IDBDatabase> => {
    const request = indexedDB.open(`rivulet:${name}`, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(HEADS);
      request.result.createObjectStore(ITEMS);
    };
    const database = await done(request);
    const forget = () => {
      opening = undefined;
    };
    database.onclose = forget;
    // Another page deletes the database. The next save makes a new one.
    database.onversionchange = () => {
      database.close();
      forget();
    };
    return database;
  };
  const begin = async (mode: IDBTransactionMode): Promise<IDBTransaction> => {
    opening ??= open();
    try {
      return (await opening).transaction([HEADS, ITEMS], mode);
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
  return {
    async load(key) {
      const transaction = await begin('readonly');
      const head: unknown = await done(transaction.objectStore(HEADS).get(key));
      if (head === undefined) return undefined;
      return { head, items: await done<unknown[]>(transaction.objectStore(ITEMS).getAll(itemsOf(key))) };
    },
    async save(key, batch, mayWrite) {
      const transaction = await begin('readwrite');
      const end = ended(transaction);
      // A request that fails rejects first. This rejection must not stay unhandled.
      end.catch(() => {});
      const heads = transaction.objectStore(HEADS);
      if (!mayWrite(await done<unknown>(heads.get(key)))) return end.then(() => false);
      write(transaction.objectStore(ITEMS), key, batch);
      heads.put(batch.head, key);
      if (batch.whole) await deleteOldest(transaction);
      await end;
      return true;
    },
    async discard(key) {
      const transaction = await begin('readwrite');
      remove(transaction, key);
      await ended(transaction);
    },
  };
}

function write(items: IDBObjectStore, key: string, { whole, puts, removes }: PersistBatch): void {
  if (whole) items.delete(itemsOf(key));
  for (const id of removes) items.delete([key, id]);
  for (const item of puts) items.put(item, [key, item.id]);
}

async function deleteOldest(transaction: IDBTransaction): Promise<void> {
  const heads = transaction.objectStore(HEADS);
  const keys = await done(heads.getAllKeys());
  if (keys.length <= MOST_TARGETS) return;
  const all = await done<Partial<PersistedHead>[]>(heads.getAll());
  const oldest = keys.map((key, index) => ({ key, at: Number(all[index]?.savedAt) || 0 })).sort((a, b) => a.at - b.at);
  for (const { key } of oldest.slice(0, keys.length - MOST_TARGETS)) if (typeof key === 'string') remove(transaction, key);
}

function remove(transaction: IDBTransaction, key: string): void {
  transaction.objectStore(HEADS).delete(key);
  transaction.objectStore(ITEMS).delete(itemsOf(key));
}
