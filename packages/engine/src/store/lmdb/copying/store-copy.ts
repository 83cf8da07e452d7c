import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import { type PreflightRequest, readPreflight } from '../checking/run-preflight.js';
import { type DirectoryLock, takeDirectoryLock } from '../env/directory-lock.js';
import { LmdbEnvironment } from '../env/environment.js';
import { syncFile } from '../env/file-pages.js';
import { pendingRestore } from '../env/prepare-directory.js';
import { DATA_FILE, readMarker, requireData, writeMarker } from '../env/store-marker.js';
import { StoreOpenError } from '../env/store-open-error.js';
import { readMetaPages } from '../pages/meta-pages.js';
import { readState, writeState } from '../tables/store-meta.js';
import { TABLES } from '../tables/tables.js';
import { type CopiedFile, copyDataFile } from './copy-data-file.js';

/** One moment of the data file of a directory. */
export interface Moment {
  readonly storeId: string;
  readonly metaPages: Buffer;
  readonly usedBytes: number;
}

/** The moment of a directory that no engine uses, and the lock that keeps engines away. */
export interface LockedMoment extends Moment {
  release(): void;
}

/** Returns an error that a command prints with its code. */
export function coded(error: unknown): unknown {
  return error instanceof StoreOpenError ? new RivuletError(error.code, error.message, { cause: error }) : error;
}

/** Takes the lock of a directory. Rejects with DIRECTORY_IN_USE when an engine or another tool has it. */
export async function lockDirectory<Lock = DirectoryLock>(
  directory: string,
  take: (directory: string) => Promise<Lock | DirectoryLock> = takeDirectoryLock,
): Promise<Lock | DirectoryLock> {
  try {
    return await take(directory);
  } catch (error) {
    // The operating system forbids it, as without the permission.
    if (error instanceof StoreOpenError && error.cause instanceof Error && 'code' in error.cause) throw error.cause;
    if (error instanceof StoreOpenError) throw new RivuletError('DIRECTORY_IN_USE', error.message, { cause: error });
    throw error;
  }
}

/** Locks a directory and resolves with its moment, or with `undefined` when the directory has no store. */
export async function lockMoment(directory: string): Promise<LockedMoment | undefined> {
  await applyLog(directory);
  const lock = await lockDirectory(directory);
  try {
    const moment = readMoment(directory);
    if (moment !== undefined) return { ...moment, release: () => lock.release() };
    lock.release();
    return undefined;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** After a power cut, some writes are in the log only. Puts them into the data file, as the next start would. */
async function applyLog(directory: string): Promise<void> {
  const lock = await lockDirectory(directory);
  let hasLog: boolean;
  try {
    hasLog = readMarker(directory) !== undefined && pendingRestore(directory)?.log !== undefined;
  } catch (error) {
    throw coded(error);
  } finally {
    lock.release();
  }
  if (!hasLog) return;
  try {
    const environment = await LmdbEnvironment.open({
      path: directory,
      relaxed: false,
      bulk: true,
      tables: TABLES,
      preflight: refuseDamage,
    });
    await environment.close(undefined);
  } catch (error) {
    throw coded(error);
  }
}

/** The check of a tool before LMDB opens a data file: LMDB trusts its pages, so damage could end the process. */
export async function refuseDamage(request: PreflightRequest): Promise<void> {
  const { isBlocked, findings } = readPreflight(request);
  if (!isBlocked) return;
  const message = `the store in ${request.directory} is damaged (${findings[0]?.problem}); run rivulet check on it`;
  throw new StoreOpenError(message, { code: 'CORRUPT_STORE' });
}

/** Returns the moment of a directory that nobody writes to; `undefined` without a store. Throws CORRUPT_STORE. */
export function readMoment(directory: string): Moment | undefined {
  try {
    const marker = readMarker(directory);
    if (marker === undefined) return undefined;
    requireData(directory, marker);
    // After a power cut, a relaxed store is what its next start makes of it.
    const pages = readMetaPages(join(directory, DATA_FILE), pendingRestore(directory)?.root);
    if (pages !== undefined) return { ...pages, storeId: marker.storeId };
  } catch (error) {
    throw coded(error);
  }
  throw new RivuletError('CORRUPT_STORE', `the first pages of ${join(directory, DATA_FILE)} are damaged; restore a backup`);
}

/** Copies the data file of one moment into a directory that has no store, and writes the marker of the copy. */
export async function copyStore(
  from: string,
  moment: Moment,
  to: string,
  onChunk?: (bytes: number) => Promise<void> | void,
): Promise<CopiedFile> {
  const { metaPages, usedBytes, storeId } = moment;
  const copied = await copyDataFile({
    from: join(from, DATA_FILE),
    to: join(to, DATA_FILE),
    directory: to,
    metaPages,
    usedBytes,
    ...(onChunk === undefined ? {} : { onChunk }),
  });
  writeMarker(to, { storeId, bytes: copied.bytes });
  syncFile(to);
  return copied;
}

/** Gives a copied store an epoch of its own, so that no position of the original leads into its history. */
export async function beginEpoch(directory: string): Promise<void> {
  const environment = await LmdbEnvironment.open({ path: directory, relaxed: false, tables: TABLES });
  try {
    const meta = environment.table('meta');
    const state = readState(meta);
    if (state !== undefined) await environment.transaction(() => writeState(meta, { ...state, epoch: randomUUID(), clean: true }));
  } finally {
    await environment.close(undefined);
  }
}
