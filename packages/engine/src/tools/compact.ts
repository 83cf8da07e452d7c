import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import type { Config } from '../config/config.js';
import { type Compaction, compactAndClose } from '../store/lmdb/copying/compact.js';
import { lockDirectory } from '../store/lmdb/copying/store-copy.js';
import { LmdbEnvironment } from '../store/lmdb/env/environment.js';
import { MARKER } from '../store/lmdb/env/store-marker.js';
import { TABLES } from '../store/lmdb/tables/tables.js';
import { requireDirectories, type StoreDirectory } from './carried-stores.js';
import { countStore } from './count-store.js';
import { giveFilesToOwner } from './filled-directories.js';

export interface CompactedStore extends StoreDirectory, Compaction {}

/** Compacts the data files of all stores in directories. No engine may use them. A damaged store is refused and stays as it is. */
export async function compactStores(config: Config, onStep: (step: string) => void): Promise<readonly CompactedStore[]> {
  const directories = requireDirectories(config).filter(({ path }) => existsSync(join(path, MARKER)));
  if (directories.length === 0) throw new RivuletError('NOT_FOUND', 'no store of this configuration exists; name another --config');
  const compacted: CompactedStore[] = [];
  for (const directory of directories) {
    const { name, path } = directory;
    onStep(`checks ${name}`);
    const lock = await lockDirectory(path);
    try {
      // LMDB trusts its pages, so a damaged store could end this process.
      countStore(path);
    } finally {
      lock.release();
    }
    onStep(`compacts ${name}`);
    try {
      const environment = await LmdbEnvironment.open({ path, relaxed: false, tables: TABLES });
      compacted.push({ ...directory, ...(await compactAndClose(environment, path, () => onStep(`compacts ${name}`))) });
    } finally {
      giveFilesToOwner(path);
    }
  }
  return compacted;
}
