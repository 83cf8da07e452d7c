import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import { checkDirectory } from '../store/lmdb/checking/check-directory.js';
import { coded, lockDirectory } from '../store/lmdb/copying/store-copy.js';
import { lockForReading } from '../store/lmdb/env/directory-lock.js';
import { DATA_FILE, requireFiles } from '../store/lmdb/env/store-marker.js';
import { type Salvage, salvageStore } from '../store/lmdb/salvaging/salvage-store.js';
import { StagedStore } from './staged-store.js';

/**
 * Salvages the store of a directory into a new one, and checks the new one. Rejects with NOT_FOUND when there is nothing to read, with
 * DIRECTORY_NOT_EMPTY when the target has files, and with DIRECTORY_IN_USE when an engine uses the directory.
 */
export async function salvage(directory: string, target: string): Promise<Salvage> {
  if (!existsSync(join(directory, DATA_FILE))) {
    throw new RivuletError('NOT_FOUND', `${directory} has no ${DATA_FILE}; name the directory of one store`);
  }
  const lock = await lockDirectory(directory, lockForReading);
  try {
    requireFiles(directory);
    return await salvageInto(await StagedStore.create(target), directory);
  } catch (error) {
    throw coded(error);
  } finally {
    lock.release();
  }
}

async function salvageInto(staged: StagedStore, directory: string): Promise<Salvage> {
  try {
    const result = await salvageStore(directory, staged.folder);
    const { findings } = checkDirectory(staged.folder);
    const [first] = findings.list;
    if (first !== undefined)
      throw new RivuletError('CORRUPT_STORE', `the new store is damaged (${first.problem}); check the disk of ${staged.folder}`);
    staged.settle();
    staged.release();
    return result;
  } catch (error) {
    staged.undo();
    throw error;
  }
}
