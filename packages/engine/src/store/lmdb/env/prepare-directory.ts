import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { releaseBallastIn } from './ballast-file.js';
import { type DirectoryLock, takeDirectoryLock } from './directory-lock.js';
import { allocateFile, createDirectory, isAllocated } from './file-pages.js';
import { diskFull, isNoSpace, requireDiskSpace } from './free-space.js';
import type { TakeOptions } from './lock-protocol.js';
import { beginCreation, DATA_FILE, LOCK_FILE, type Marker, requireData } from './store-marker.js';
import { guardAbort } from './store-open-error.js';

/** Places for read views, including those of other processes. The default of LMDB is 126. */
const READERS = 1_024;
/** Size of the lock file: 64 bytes for each reader, and the header of LMDB. */
const LOCK_BYTES = READERS * 64 + 4_096;

/** Checks the files of the directory, and makes the lock file of LMDB. LMDB crashes when it may not open one of its files. */
export function prepareFiles(directory: string, marker: Marker | undefined): void {
  for (const name of [DATA_FILE, LOCK_FILE]) {
    const file = join(directory, name);
    if (existsSync(file)) accessSync(file, constants.R_OK | constants.W_OK);
  }
  if (marker !== undefined) requireData(directory, marker);
  else {
    requireDiskSpace(directory);
    beginCreation(directory);
  }
  const lockFile = join(directory, LOCK_FILE);
  const allocated = isAllocated(lockFile);
  if (marker !== undefined && !allocated) requireDiskSpace(directory);
  if (!allocated) allocateFile(lockFile, LOCK_BYTES);
}

/** Takes the lock of the directory. On a full disk, it removes the ballast to have space for the lock file. */
export async function takeLock(directory: string, options: Partial<TakeOptions> | undefined): Promise<DirectoryLock> {
  try {
    createDirectory(directory);
    return await takeDirectoryLock(directory, options);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    if (releaseBallastIn(directory)) return await takeDirectoryLock(directory, options);
    throw diskFull(directory, { cause: error });
  }
}

interface RootOptions {
  readonly path: string;
  readonly tables: readonly string[];
  /** Transactions are not synced. */
  readonly noSync: boolean;
}

/** Opens the files with LMDB. */
export function openRoot({ path, tables, noSync }: RootOptions): RootDatabase<Buffer, Buffer> {
  const root = open<Buffer, Buffer>({
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxReaders: READERS,
    maxDbs: tables.length + 1,
    // No read may show a write before it is durable, or a write whose sync failed.
    overlappingSync: false,
    noSync,
    compression: false,
  });
  guardAbort(root);
  return root;
}
