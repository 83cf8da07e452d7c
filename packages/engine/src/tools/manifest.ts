import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import { hashFile } from '../store/lmdb/copying/copy-data-file.js';
import { DATA_FILE } from '../store/lmdb/env/store-marker.js';
import { STORE_NAMES, type StoreName } from './carried-stores.js';

/** Version of the layout of a backup. */
const FORMAT = 1;
/** The file that makes a directory a backup. It is written last, so an interrupted backup has none. */
const MANIFEST = 'rivulet-backup.json';

/** One store of a backup. Its files are in the folder with its name. */
export interface BackedUpStore {
  readonly name: StoreName;
  readonly storeId: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly groups: number;
  readonly items: number;
  /** Records of the original that were damaged already. */
  readonly damaged: number;
}

export interface Manifest {
  readonly engine: string;
  /** Time of the moment, in ISO 8601. */
  readonly takenAt: string;
  readonly stores: readonly BackedUpStore[];
}

/** Writes the manifest and puts it on the disk. */
export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const file = join(directory, MANIFEST);
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ format: FORMAT, ...manifest }, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

/** Returns the manifest of a backup. Throws BACKUP_INCOMPLETE when the directory is none, or has another format. */
export function readManifest(directory: string): Manifest {
  const file = join(directory, MANIFEST);
  let manifest: Partial<Manifest> & { readonly format?: unknown };
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try; the text is a file of the operator
    manifest = JSON.parse(readFileSync(file, 'utf8')) as typeof manifest;
  } catch (error) {
    throw new RivuletError('BACKUP_INCOMPLETE', `${directory} is no complete backup (${file} can't be read); name another one`, {
      cause: error,
    });
  }
  const { format, engine, takenAt, stores } = manifest;
  if (format !== FORMAT) {
    throw new RivuletError(
      'BACKUP_INCOMPLETE',
      `${file} has format ${String(format)}, and this version reads ${FORMAT}; use the version that made it`,
    );
  }
  if (typeof engine !== 'string' || typeof takenAt !== 'string' || !Array.isArray(stores) || !stores.every(isStore)) {
    throw new RivuletError('BACKUP_INCOMPLETE', `${file} is damaged; name another backup`);
  }
  return { engine, takenAt, stores };
}

/** Reads the data file of a store in a backup. Throws BACKUP_DAMAGED when it is not what was backed up. */
export async function requireUnchanged(folder: string, store: BackedUpStore, onChunk: (bytes: number) => void): Promise<void> {
  const file = join(folder, DATA_FILE);
  const { bytes, sha256 } = await hashFile(file, onChunk);
  if (bytes === store.bytes && sha256 === store.sha256) return;
  throw new RivuletError('BACKUP_DAMAGED', `${file} differs from what was backed up; name another backup`);
}

function isStore(value: Partial<BackedUpStore> | null): value is BackedUpStore {
  return (
    typeof value === 'object' &&
    value !== null &&
    STORE_NAMES.some((name) => name === value.name) &&
    typeof value.storeId === 'string' &&
    typeof value.sha256 === 'string' &&
    [value.bytes, value.groups, value.items, value.damaged].every((number) => Number.isSafeInteger(number))
  );
}
