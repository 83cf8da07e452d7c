import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';

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
 * full, that is a signal that ends the process. Pages that hold something stay as they are. A file that is not there, or is smaller than
 * `leastBytes`, gets that size.
 *
 * Only before LMDB opens the file: closing any descriptor of a file ends the locks that this process has on it, and those tell the
 * other processes which readers live.
 */
export function allocateFile(path: string, leastBytes: number): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const { size: before, blocks } = fstatSync(file);
    const size = Math.max(before, leastBytes);
    if (before === size && blocks * BLOCK_BYTES >= size) return;
    ftruncateSync(file, size);
    const page = Buffer.alloc(PAGE_BYTES);
    for (let at = 0; at < size; at += PAGE_BYTES) {
      const length = readSync(file, page, 0, PAGE_BYTES, at);
      if (page.subarray(0, length).every((byte) => byte === 0)) writeSync(file, page, 0, length, at);
    }
  } finally {
    closeSync(file);
  }
}
