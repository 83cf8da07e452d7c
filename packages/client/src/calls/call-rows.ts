import type { KeptCall } from './call-keeper.js';

/** One kept call. `page` and `identity` say which page made it, and for which user. Rows are sorted by `id`. */
export interface CallRow {
  readonly id: string;
  readonly page: string;
  readonly identity: string;
  readonly call: KeptCall;
}

/** A store of kept calls. */
export interface CallRows {
  /**
   * Calls `change` with all rows, sorted by `id`. Deletes and writes the rows that it returns, in one step, or does nothing and rejects. No
   * other page changes the rows in between.
   */
  update(change: (rows: readonly CallRow[]) => { readonly remove: readonly string[]; readonly put: readonly CallRow[] }): Promise<void>;
}

const ROWS = 'calls';

/** Returns the rows in the database `rivulet-calls:<name>` of this origin. `undefined` where IndexedDB does not exist, as on servers. */
export function callRowsOf(name: string): CallRows | undefined {
  if (typeof indexedDB === 'undefined') return undefined;
  return {
    async update(change) {
      const request = indexedDB.open(`rivulet-calls:${name}`, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(ROWS, { keyPath: 'id' });
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
      });
      try {
        await new Promise<void>((resolve, reject) => {
          const transaction = database.transaction(ROWS, 'readwrite');
          transaction.oncomplete = () => resolve();
          transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave up'));
          const rows = transaction.objectStore(ROWS);
          const all = rows.getAll() as IDBRequest<CallRow[]>;
          all.onsuccess = () => {
            const { remove, put } = change(all.result);
            for (const id of remove) rows.delete(id);
            for (const row of put) rows.put(row);
          };
        });
      } finally {
        database.close();
      }
    },
  };
}
