import { RivuletError } from '@rivulet/protocol';
import { checkDirectory } from '../store/lmdb/checking/check-directory.js';
import type { StoreCheck } from '../store/lmdb/checking/check-store.js';
import { coded, lockDirectory } from '../store/lmdb/copying/store-copy.js';
import { lockForReading } from '../store/lmdb/env/directory-lock.js';
import { MARKER, requireFinished } from '../store/lmdb/env/store-marker.js';
import { storesIn } from './store-directories.js';

export type { StoreCheck } from '../store/lmdb/checking/check-store.js';
export type { Finding } from '../store/lmdb/checking/findings.js';

export interface CheckedStore extends StoreCheck {
  readonly directory: string;
}

/**
 * Checks each store of a directory while no engine uses it. Rejects with DIRECTORY_IN_USE when one does, with RESTORE_UNFINISHED, and with
 * NOT_FOUND when there is no store.
 */
export async function checkStores(directory: string): Promise<readonly CheckedStore[]> {
  const checked: CheckedStore[] = [];
  const stores = storesIn(directory);
  if (stores.length === 0) {
    throw new RivuletError('NOT_FOUND', `${directory} has no store; name the directory that has ${MARKER}`);
  }
  for (const store of stores) {
    const lock = await lockDirectory(store, lockForReading);
    try {
      requireFinished(store);
      checked.push({ directory: store, ...checkDirectory(store) });
    } catch (error) {
      throw coded(error);
    } finally {
      lock.release();
    }
  }
  return checked;
}
