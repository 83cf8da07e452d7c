import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkDirectory } from '../store/lmdb/checking/check-directory.js';
import { lockForReading } from '../store/lmdb/env/directory-lock.js';
import { DATA_FILE, requireFiles } from '../store/lmdb/env/store-marker.js';
import { StoreOpenError } from '../store/lmdb/env/store-open-error.js';
import { type Salvage, salvageStore } from '../store/lmdb/salvaging/salvage-store.js';

/** A salvage that cannot begin. Nothing was written. */
export class SalvageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SalvageError';
  }
}

/**
 * Salvages the store of a directory into a new one, and checks the new one. Throws SalvageError when there is nothing to read, or when the
 * target has files, and StoreOpenError when an engine uses the directory.
 */
export async function salvage(directory: string, target: string): Promise<Salvage> {
  if (!existsSync(join(directory, DATA_FILE))) throw new SalvageError(`${directory} has no ${DATA_FILE}; name the directory of one store`);
  if (existsSync(target) && readdirSync(target).length > 0) throw new SalvageError(`${target} has files already; name a new directory`);
  requireFiles(directory);
  const lock = await lockForReading(directory);
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const result = await salvageStore(directory, target);
    const { findings } = checkDirectory(target);
    const [first] = findings.list;
    if (first !== undefined) throw new StoreOpenError(`the new store is damaged: ${first.problem}`, { code: 'CORRUPT_STORE' });
    return result;
  } finally {
    lock.release();
  }
}
