import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile, syncFile } from './durable-files.js';
import { StoreOpenError } from './store-open-error.js';

/** Version of the record layout, written into the marker. */
const FORMAT = 1;
export const MARKER = 'rivulet-store.json';
/** A file that exists from before the data file is created until the marker is written. */
const CREATING = 'rivulet-store.creating';
export const DATA_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';

/** The content of the marker, a file beside the data file. */
export interface Marker {
  readonly format: number;
  readonly storeId: string;
  /** Size of the data file when the store was last opened or closed. LMDB never makes it smaller. */
  readonly bytes: number;
}

/** Returns the marker of a directory; `undefined` when it has no store yet. Throws StoreOpenError for a damaged or newer marker. */
export function readMarker(directory: string): Marker | undefined {
  const file = join(directory, MARKER);
  if (!existsSync(file)) return undefined;
  let marker: Partial<Marker>;
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try; the text is a file of the operator
    marker = JSON.parse(readFileSync(file, 'utf8')) as Partial<Marker>;
  } catch (error) {
    throw new StoreOpenError(`${file} is damaged; restore it from a backup of the directory`, { cause: error });
  }
  if (typeof marker.format !== 'number' || typeof marker.storeId !== 'string') {
    throw new StoreOpenError(`${file} is damaged; restore it from a backup of the directory`);
  }
  if (marker.format > FORMAT) {
    throw new StoreOpenError(`${file} says format ${marker.format}, this engine reads up to ${FORMAT}; start a newer engine`);
  }
  return { format: marker.format, storeId: marker.storeId, bytes: typeof marker.bytes === 'number' ? marker.bytes : 0 };
}

/**
 * Throws StoreOpenError when the data file is missing, empty or shorter than it was. LMDB would take an empty file for a new store, and the
 * process would die when LMDB reads a page behind the end.
 */
export function requireData(directory: string, marker: Marker): void {
  const file = join(directory, DATA_FILE);
  const size = existsSync(file) ? statSync(file).size : 0;
  if (size === 0) {
    throw new StoreOpenError(
      `${file} is missing or empty although ${MARKER} says there is a store; restore it, or move the directory away to begin anew`,
    );
  }
  // One of the two signs alone is no damage: free pages may lie behind the end of the file, and a compacted copy is smaller.

  const used = usedBytes(file);
  if (size >= marker.bytes || used === undefined || size >= used) return;
  throw new StoreOpenError(
    `${file} is cut off: it has ${size} bytes of at least ${marker.bytes}; restore the whole directory from a backup, or move it away to begin anew`,
  );
}

const PAGE_HEADER_BYTES = 24;
const META_BYTES = 136;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;

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

/** Returns both meta pages as they are, and the bytes that the newest one uses; `undefined` when their layout is not known. */
export function readMetaPages(
  file: string,
): { readonly metaPages: Buffer; readonly usedBytes: number; readonly inode: number } | undefined {
  const handle = openSync(file, 'r');
  try {
    const first = readMeta(handle, 0);
    if (typeof first !== 'object') return undefined;
    const second = readMeta(handle, first.pageBytes);
    if (typeof second !== 'object') return undefined;
    const metaPages = Buffer.alloc(2 * first.pageBytes);
    if (readSync(handle, metaPages, 0, metaPages.length, 0) < metaPages.length) return undefined;
    const { lastPage } = first.transaction > second.transaction ? first : second;
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
    lastPage: Number(meta.readBigUInt64LE(120)),
    transaction: Number(meta.readBigUInt64LE(128)),
  };
}

/**
 * Notes durably that the store of a directory is being created. Removes the files of an earlier creation that did not end. After a power
 * cut only a part of such a data file may be on the disk, and LMDB would crash on it. Nobody has written to such a store. A data file
 * without this note stays as it is.
 */
export function beginCreation(directory: string): void {
  const note = join(directory, CREATING);
  const files = [join(directory, DATA_FILE), join(directory, LOCK_FILE)];
  if (existsSync(note)) for (const file of files) rmSync(file, { force: true });
  else if (!files.some((file) => existsSync(file))) replaceFile(note, '');
}

/** Records that the store exists, after its data file is on the disk. */
export function endCreation(directory: string, marker: Omit<Marker, 'format'>): void {
  syncFile(join(directory, DATA_FILE));
  writeMarker(directory, marker);
  rmSync(join(directory, CREATING), { force: true });
}

/** Writes the marker durably. At any moment, the directory has either the old or the new one. */
export function writeMarker(directory: string, marker: Omit<Marker, 'format'>): void {
  replaceFile(join(directory, MARKER), `${JSON.stringify({ format: FORMAT, ...marker })}\n`);
}
