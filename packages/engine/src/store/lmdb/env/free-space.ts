import { statfsSync } from 'node:fs';

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
