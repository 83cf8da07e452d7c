import { RivuletError } from '@rivulet/protocol';
import type { Config } from '../config/config.js';

/** The stores of an engine, by the names that files of tools use. */
export type StoreName = 'stream' | 'state';

export const STORE_NAMES: readonly StoreName[] = ['stream', 'state'];

/** A store on the disk of this machine. */
export interface StoreDirectory {
  readonly name: StoreName;
  readonly path: string;
}

/** Returns the stores that have a directory, in the order of `STORE_NAMES`. The first directory has the control socket. */
export function storeDirectories(config: Config): readonly StoreDirectory[] {
  return STORE_NAMES.flatMap((name) => {
    const adapter = config[name]?.adapter;
    return adapter?.kind === 'lmdb' ? [{ name, path: adapter.path }] : [];
  });
}

/** Returns the same. Throws INVALID_ARGUMENTS when no store has a directory. */
export function requireDirectories(config: Config): readonly StoreDirectory[] {
  const directories = storeDirectories(config);
  if (directories.length > 0) return directories;
  const message = 'no store of this configuration is in a directory (store_method: file_based); use rivulet export for a store in a Redis';
  throw new RivuletError('INVALID_ARGUMENTS', message);
}
