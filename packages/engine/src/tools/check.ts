import { checkDirectory } from '../store/lmdb/checking/check-directory.js';
import type { StoreCheck } from '../store/lmdb/checking/check-store.js';
import { DirectoryLock } from '../store/lmdb/env/directory-lock.js';
import { storesIn } from './store-directories.js';

export type { StoreCheck } from '../store/lmdb/checking/check-store.js';
export type { Finding } from '../store/lmdb/checking/findings.js';
export { StoreOpenError } from '../store/lmdb/env/store-open-error.js';

export interface CheckedStore extends StoreCheck {
  readonly directory: string;
}

/** Checks each store of a directory while no engine uses it. Throws StoreOpenError when one does. */
export function checkStores(directory: string): readonly CheckedStore[] {
  return storesIn(directory).map((store) => {
    const lock = DirectoryLock.take(store);
    try {
      return { directory: store, ...checkDirectory(store) };
    } finally {
      lock.release();
    }
  });
}
