import { checkDirectory } from '../store/lmdb/checking/check-directory.js';
import type { StoreCheck } from '../store/lmdb/checking/check-store.js';
import { lockForReading } from '../store/lmdb/env/directory-lock.js';
import { storesIn } from './store-directories.js';

export type { StoreCheck } from '../store/lmdb/checking/check-store.js';
export type { Finding } from '../store/lmdb/checking/findings.js';
export { StoreOpenError } from '../store/lmdb/env/store-open-error.js';

export interface CheckedStore extends StoreCheck {
  readonly directory: string;
}

/** Checks each store of a directory while no engine uses it. Rejects with StoreOpenError when one does. */
export async function checkStores(directory: string): Promise<readonly CheckedStore[]> {
  const checked: CheckedStore[] = [];
  for (const store of storesIn(directory)) {
    const lock = await lockForReading(store);
    try {
      checked.push({ directory: store, ...checkDirectory(store) });
    } finally {
      lock.release();
    }
  }
  return checked;
}
