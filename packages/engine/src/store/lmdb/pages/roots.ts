import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { META_PAGES, rootForPage } from './page-file.js';

/** Where LMDB keeps the root of its trees: after the header of each of the first two pages. A test compares this with the bundled LMDB. */
const ROOT_AT = 24;
export const ROOT_BYTES = 144;
const PAGE_BYTES_AT = 24;
const TRANSACTION_AT = 128;

/** Returns the newest root of a data file. No transaction may run. */
export function readRoot(file: string): Buffer {
  const handle = openSync(file, 'r');
  try {
    return newestRoot(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a root the newest one of a data file. Does nothing in a file that is too short. */
export function writeRoots(file: string, root: Buffer): void {
  if (!hasMetaPages(file, root)) return;
  const handle = openSync(file, 'r+');
  try {
    for (let page = 0; page < META_PAGES; page++) {
      const copy = rootForPage(root, page);
      if (copy !== undefined) writeSync(handle, copy, 0, copy.length, page * pageBytesOf(root) + ROOT_AT);
    }
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Returns whether a file is long enough for a root. A file without its meta pages is refused later, as one that is cut off. */
export function hasMetaPages(file: string, root: Buffer): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= META_PAGES * pageBytesOf(root);
}

function newestRoot(handle: number): Buffer {
  const first = rootAt(handle, 0);
  const second = rootAt(handle, pageBytesOf(first));
  return transactionOf(second) > transactionOf(first) ? second : first;
}

function rootAt(handle: number, at: number): Buffer {
  const root = Buffer.alloc(ROOT_BYTES);
  readSync(handle, root, 0, ROOT_BYTES, at + ROOT_AT);
  return root;
}

export const pageBytesOf = (root: Buffer): number => root.readUInt32LE(PAGE_BYTES_AT);
export const transactionOf = (root: Buffer): bigint => root.readBigUInt64LE(TRANSACTION_AT);
