import { closeSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';

const PAGE_BYTES = 4_096;
/** What `stat` counts in. */
const BLOCK_BYTES = 512;

/** Whether a file is there, and each of its pages has a place on the disk. */
export function isAllocated(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.size > 0 && stats.blocks * BLOCK_BYTES >= stats.size;
}

/**
 * Gives every page of a file a place on the disk. LMDB maps its lock file and writes into it: where a page has no place and the disk is
 * full, that is a signal that ends the process. Pages that hold something stay as they are.
 */
export function allocateFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const { size, blocks } = fstatSync(file);
    if (blocks * BLOCK_BYTES >= size) return;
    const page = Buffer.alloc(PAGE_BYTES);
    for (let at = 0; at < size; at += PAGE_BYTES) {
      const length = readSync(file, page, 0, PAGE_BYTES, at);
      if (page.subarray(0, length).every((byte) => byte === 0)) writeSync(file, page, 0, length, at);
    }
  } finally {
    closeSync(file);
  }
}
