import { statfsSync } from 'node:fs';

export interface DiskSpace {
  /** What a process without privileges may still take, in bytes. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Takes some microseconds. `undefined` when the file system doesn't tell, as some that are mounted over a network don't. */
export function diskSpace(directory: string): DiskSpace | undefined {
  try {
    const { bsize, blocks, bavail } = statfsSync(directory);
    return blocks > 0 ? { freeBytes: bavail * bsize, totalBytes: blocks * bsize } : undefined;
  } catch {
    return undefined;
  }
}
