import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { rootForPage } from './page-file.js';

const PAGE_HEADER_BYTES = 24;
const META_BYTES = 136;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const LAST_PAGE_AT = 120;

/**
 * Returns the bytes up to the last page that the newest meta page of a data file names. `undefined` when the layout of the meta pages is
 * not known; Infinity when the meta pages are incomplete. A test compares the layout with the bundled LMDB.
 */
export function usedBytes(file: string): number | undefined {
  const handle = openSync(file, 'r');
  try {
    const first = readMeta(handle, 0);
    const second = typeof first === 'object' ? readMeta(handle, first.pageBytes) : first;
    if (first === 'cut off' || second === 'cut off') return Number.POSITIVE_INFINITY;
    if (first === undefined || second === undefined) return undefined;
    const newest = first.transaction > second.transaction ? first : second;
    return (newest.lastPage + 1) * newest.pageBytes;
  } finally {
    closeSync(handle);
  }
}

/**
 * Returns both meta pages, and the bytes that the newest one uses; `undefined` when their layout is not known. `root`: the roots to which
 * they go back. @default those of the file
 */
export function readMetaPages(
  file: string,
  root?: Buffer,
): { readonly metaPages: Buffer; readonly usedBytes: number; readonly inode: number } | undefined {
  const handle = openSync(file, 'r');
  try {
    const first = readMeta(handle, 0);
    if (typeof first !== 'object') return undefined;
    const second = readMeta(handle, first.pageBytes);
    if (typeof second !== 'object') return undefined;
    const metaPages = Buffer.alloc(2 * first.pageBytes);
    if (readSync(handle, metaPages, 0, metaPages.length, 0) < metaPages.length) return undefined;
    if (root !== undefined) for (const page of [0, 1]) rootForPage(root, page)?.copy(metaPages, page * first.pageBytes + PAGE_HEADER_BYTES);
    const newest = first.transaction > second.transaction ? first : second;
    const lastPage = root === undefined ? newest.lastPage : Number(root.readBigUInt64LE(LAST_PAGE_AT));
    return { metaPages, usedBytes: (lastPage + 1) * first.pageBytes, inode: fstatSync(handle).ino };
  } finally {
    closeSync(handle);
  }
}

interface MetaPage {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: number;
}

function readMeta(handle: number, at: number): MetaPage | 'cut off' | undefined {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(handle, meta, 0, META_BYTES, at + PAGE_HEADER_BYTES) < META_BYTES) return 'cut off';
  if (meta.readUInt32LE(0) !== MAGIC || meta.readUInt32LE(4) !== DATA_VERSION) return undefined;
  return {
    pageBytes: meta.readUInt32LE(24),
    lastPage: Number(meta.readBigUInt64LE(LAST_PAGE_AT)),
    transaction: Number(meta.readBigUInt64LE(128)),
  };
}
