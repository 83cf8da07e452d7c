import { statfsSync } from 'node:fs';
import { releaseBallastIn } from './ballast-file.js';
import { StoreOpenError } from './store-open-error.js';

/** Disk space that the files of a new environment need. */
const NEW_BYTES = 524_288;

export interface DiskSpace {
  /** Bytes that a process without privileges may still use. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Returns the space of a file system, within microseconds. `undefined` when the file system does not report it, as some network mounts. */
export function diskSpace(directory: string): DiskSpace | undefined {
  try {
    const { bsize, blocks, bavail } = statfsSync(directory);
    return blocks > 0 ? { freeBytes: bavail * bsize, totalBytes: blocks * bsize } : undefined;
  } catch {
    return undefined;
  }
}

/** Throws StoreOpenError when the disk has no space for new files: LMDB writes to them as memory, which would end the process. */
export function requireDiskSpace(directory: string): void {
  const hasRoom = () => (diskSpace(directory)?.freeBytes ?? NEW_BYTES) >= NEW_BYTES;
  if (hasRoom() || (releaseBallastIn(directory) && hasRoom())) return;
  throw diskFull(directory);
}

export function diskFull(directory: string, options?: ErrorOptions): StoreOpenError {
  return new StoreOpenError(`the disk of ${directory} is full; give it room and start again`, options);
}

/** The error when the disk has no room to make a transaction durable. Nothing was written. */
export class NoRoomError extends Error {
  constructor(options: ErrorOptions) {
    super('the disk has room neither for the commit log nor for a checkpoint', options);
    this.name = 'NoRoomError';
  }
}

export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
