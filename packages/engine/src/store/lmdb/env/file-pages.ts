import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const PAGE_BYTES = 4_096;
/** The unit in which `stat` counts blocks. */
const BLOCK_BYTES = 512;

/** Returns whether a file exists and each of its pages has space on the disk. */
export function isAllocated(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.size > 0 && stats.blocks * BLOCK_BYTES >= stats.size;
}

/**
 * Gives every page of a file space on the disk. LMDB maps its lock file into memory. A write to a page without space on a full disk is a
 * signal that ends the process. Pages with content stay as they are. A file that does not exist, or is smaller than `leastBytes`, gets that
 * size.
 *
 * Call it before LMDB opens the file. When a process closes any descriptor of a file, it loses its locks on the file, and other processes
 * take its readers for dead.
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

/**
 * Creates a directory with mode 0700, and the directories above it. They are on the disk when this returns: after a power cut, a directory
 * whose name is not on the disk is missing, with all files in it.
 */
export function createDirectory(path: string): void {
  const missing: string[] = [];
  for (let each = resolve(path); !existsSync(each); each = dirname(each)) missing.push(each);
  // The recursive `mkdir` of Node 20 never returns where the file system has no such entry, as in `/proc`.
  for (const each of missing.toReversed()) makeDirectory(each);
  for (const each of missing) syncFile(each);
  const [top] = missing.slice(-1);
  if (top !== undefined) syncFile(dirname(top));
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it a moment ago.
    if (!existsSync(path)) throw error;
  }
}

/** Puts the content of a file, or the names in a directory, on the disk. */
export function syncFile(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Names the files of this process that are not complete. A process that has lost a directory must not write to those of the next owner. */
const WRITER = randomBytes(8).toString('hex');
const UNFINISHED = /^rivulet-[a-z-]+(?:\.json)?\.(?:[\da-f]{16}\.)?new$/;

/** Returns the name under which this process writes the next content of a file. */
export function unfinishedFile(path: string): string {
  return `${path}.${WRITER}.new`;
}

/** Removes the files that earlier owners of a directory have not completed. Call it as its owner. */
export function removeUnfinished(directory: string): void {
  for (const name of readdirSync(directory)) if (UNFINISHED.test(name)) rmSync(join(directory, name), { force: true });
}

/** Writes a file in one durable step. At any moment, the directory has either the old content or the new one. */
export function replaceFile(path: string, content: string): void {
  const next = unfinishedFile(path);
  const handle = openSync(next, 'w', 0o600);
  try {
    writeSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(next, path);
  syncFile(dirname(path));
}

/**
 * Overwrites the first place of a text by one of the same length, so it needs no space on the disk. The rest of the file stays. Does
 * nothing when the file has other content than `content`: another process has replaced it, perhaps a moment ago.
 */
export function overwriteText(path: string, content: string, from: string, to: string): void {
  const handle = openSync(path, 'r+');
  try {
    const expected = Buffer.from(content);
    const found = Buffer.alloc(expected.length + 1);
    const length = readSync(handle, found, 0, found.length, 0);
    const at = expected.indexOf(from);
    if (at >= 0 && expected.equals(found.subarray(0, length))) writeSync(handle, to, at);
  } finally {
    closeSync(handle);
  }
}

/** Returns the text of a file up to a length. A longer file is damaged: its text ends there. Throws EISDIR or ENXIO for other things. */
export function readSmallFile(path: string, mostBytes: number): string {
  const handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.allocUnsafe(mostBytes);
    return buffer.toString('utf8', 0, readSync(handle, buffer, 0, mostBytes, 0));
  } finally {
    closeSync(handle);
  }
}
