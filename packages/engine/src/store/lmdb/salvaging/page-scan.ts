import { FITS } from '../checking/record-shapes.js';
import type { PageFile } from '../pages/page-file.js';
import {
  BIG_VALUE_BYTES,
  flagsOf,
  HEADER_BYTES,
  LEAF,
  nodeCount,
  OVERFLOW,
  overflowPagesOf,
  pagesFor,
  problemOfPage,
  transactionOf,
  wideAt,
} from '../pages/page-layout.js';
import { isSound } from '../tables/records.js';
import { TABLES } from '../tables/tables.js';
import type { FoundRecord } from './found-records.js';

const NODE_BYTES = 8;
/** LMDB allows no longer keys. */
const LONGEST_KEY = 2_048;
/** Pages that are read at once. */
const READ_AHEAD = 64;

/**
 * Yields the sound records of all leaf pages that `isWanted` selects, whatever the trees say. In a damaged page, each place where a node
 * may begin is tried. The checksum says which of them are records.
 */
export function* scanPages(file: PageFile, isWanted: (page: number, transaction: number) => boolean): Generator<FoundRecord> {
  const { pageBytes, pages } = file;
  const buffer = Buffer.allocUnsafe(READ_AHEAD * pageBytes);
  for (let first = 2; first < pages; first += READ_AHEAD) {
    const count = Math.min(READ_AHEAD, pages - first);
    if (!file.read(first, buffer.subarray(0, count * pageBytes))) return;
    for (let index = 0; index < count; index++) {
      const page = buffer.subarray(index * pageBytes, (index + 1) * pageBytes);
      if (isWanted(first + index, transactionOf(page))) yield* recordsOf(file, page);
    }
  }
}

function* recordsOf(file: PageFile, page: Buffer): Generator<FoundRecord> {
  if (flagsOf(page) === OVERFLOW) return;
  for (const at of nodePlaces(page)) {
    const found = recordAt(file, page, at);
    if (found !== undefined) yield found;
  }
}

/** Returns the places of nodes: those of its pointers if the page is whole, and all others if it is damaged. */
function nodePlaces(page: Buffer): number[] {
  if (problemOfPage(page, LEAF) === undefined)
    return Array.from({ length: nodeCount(page) }, (_, index) => page.readUInt16LE(HEADER_BYTES + 2 * index) + HEADER_BYTES);
  return Array.from({ length: (page.length - HEADER_BYTES - NODE_BYTES) / 2 }, (_, index) => HEADER_BYTES + 2 * index);
}

function recordAt(file: PageFile, page: Buffer, at: number): FoundRecord | undefined {
  if (at + NODE_BYTES > page.length) return undefined;
  const bytes = page.readUInt32LE(at);
  const flags = page.readUInt16LE(at + 4);
  const keyBytes = page.readUInt16LE(at + 6);
  const value = at + NODE_BYTES + keyBytes;
  if (flags > 1 || keyBytes === 0 || keyBytes > LONGEST_KEY || value > page.length) return undefined;
  const key = page.subarray(at + NODE_BYTES, value);
  const record =
    flags === 1 ? bigValue(file, page, value, bytes) : value + bytes <= page.length ? page.subarray(value, value + bytes) : undefined;
  if (record === undefined || !isSound(key, record)) return undefined;
  const table = TABLES.find((name) => FITS[name](key, record));
  return table === undefined ? undefined : { table, key, record };
}

function bigValue(file: PageFile, page: Buffer, at: number, bytes: number): Buffer | undefined {
  if (at + BIG_VALUE_BYTES > page.length) return undefined;
  const first = wideAt(page, at);
  const pages = pagesFor(bytes, file.pageBytes);
  if (first + pages > file.pages) return undefined;
  const value = Buffer.allocUnsafe(pages * file.pageBytes);
  if (!file.read(first, value) || flagsOf(value) !== OVERFLOW || overflowPagesOf(value) < pages) return undefined;
  return value.subarray(HEADER_BYTES, HEADER_BYTES + bytes);
}
