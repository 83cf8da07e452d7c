/**
 * The layout of LMDB pages (data version 2, 64 bits, little-endian), as far as a reader needs it. Nothing here trusts a page: each function
 * returns a problem for a page on which LMDB itself could crash.
 *
 * ```
 * header      page number (8), transaction (8), padding (2), flags (2), lower and upper bound of the free space (2 each)
 * overflow    the same header, with the number of pages (4) instead of the two bounds
 * pointers    one for each node (2), relative to the end of the header
 * node        size or child page (4), flags or highest bits of the child page (2), size of the key (2), key, value
 * big value   page number (8), transaction (8), number of pages (8) instead of the value
 * tree        padding (4), flags (2), depth (2), branch, leaf and overflow pages, entries, root page (8 each)
 * ```
 */

export const HEADER_BYTES = 24;
const NODE_BYTES = 8;
export const BIG_VALUE_BYTES = 24;
const TREE_BYTES = 48;
/** The root of an empty tree. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** Options of the free list: its keys are numbers. The store opens all other trees without options. */
export const FREE_LIST_FLAGS = 0x08;

export const BRANCH = 0x01;
export const LEAF = 0x02;
export const OVERFLOW = 0x04;
export const META = 0x08;

const BIG_VALUE = 0x01;
const SUB_TREE = 0x02;

/** The record of a tree: the meta pages hold those of the free list and of the names, the tree of names holds those of the tables. */
export interface TreeRecord {
  /** Options of the tree. LMDB reads a tree in another way for each of them. */
  readonly flags: number;
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  /** `undefined` for an empty tree. */
  readonly root: number | undefined;
}

export interface Node {
  readonly keyStart: number;
  readonly keyBytes: number;
  readonly valueStart: number;
  readonly valueBytes: number;
  readonly kind: 'plain' | 'big' | 'tree';
}

/** Reads a number of eight bytes. Damage can make it larger than any page number; the result then exceeds every bound too. */
export function wideAt(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
}

export function readTree(buffer: Buffer, at: number): TreeRecord {
  return {
    flags: buffer.readUInt16LE(at + 4),
    depth: buffer.readUInt16LE(at + 6),
    branchPages: wideAt(buffer, at + 8),
    leafPages: wideAt(buffer, at + 16),
    overflowPages: wideAt(buffer, at + 24),
    entries: wideAt(buffer, at + 32),
    root: buffer.readBigUInt64LE(at + 40) === NO_PAGE ? undefined : wideAt(buffer, at + 40),
  };
}

export function pageNumberOf(page: Buffer): number {
  return wideAt(page, 0);
}

export function transactionOf(page: Buffer): number {
  return wideAt(page, 8);
}

export function flagsOf(page: Buffer): number {
  return page.readUInt16LE(18);
}

/** Returns the number of pages of a big value. */
export function overflowPagesOf(page: Buffer): number {
  return page.readUInt32LE(20);
}

/** Returns the number of nodes of a branch or leaf page. */
export function nodeCount(page: Buffer): number {
  return page.readUInt16LE(20) >> 1;
}

/** Returns the number of pages that a big value of this size takes. */
export function pagesFor(bytes: number, pageBytes: number): number {
  return Math.floor((HEADER_BYTES - 1 + bytes) / pageBytes) + 1;
}

/** Returns the begin of a node in its page. Call it after `problemOfPage`. */
function nodeStart(page: Buffer, index: number): number {
  return page.readUInt16LE(HEADER_BYTES + 2 * index) + HEADER_BYTES;
}

/** Returns the child of a node of a branch page. */
export function childAt(page: Buffer, index: number): number {
  const at = nodeStart(page, index);
  return page.readUInt32LE(at) + page.readUInt16LE(at + 4) * 2 ** 32;
}

/** Returns a node of a leaf page. */
export function leafNode(page: Buffer, index: number): Node {
  const at = nodeStart(page, index);
  const keyBytes = page.readUInt16LE(at + 6);
  const flags = page.readUInt16LE(at + 4);
  return {
    keyStart: at + NODE_BYTES,
    keyBytes,
    valueStart: at + NODE_BYTES + keyBytes,
    valueBytes: page.readUInt32LE(at),
    kind: flags === BIG_VALUE ? 'big' : flags === SUB_TREE ? 'tree' : 'plain',
  };
}

/** Returns the key of a node of a branch or leaf page. */
export function keyAt(page: Buffer, index: number): Buffer {
  const at = nodeStart(page, index);
  return page.subarray(at + NODE_BYTES, at + NODE_BYTES + page.readUInt16LE(at + 6));
}

/** Returns what is wrong with the bounds of a branch or leaf page and of its nodes; `undefined` when all lie inside the page. */
export function problemOfPage(page: Buffer, kind: typeof BRANCH | typeof LEAF): string | undefined {
  if (flagsOf(page) !== kind) return `its flags are ${flagsOf(page)} and not ${kind}`;
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  const room = page.length - HEADER_BYTES;
  if (lower % 2 !== 0 || lower > upper || upper > room) return `its bounds ${lower} and ${upper} are impossible`;
  const nodes = lower >> 1;
  if (nodes === 0) return 'it has no nodes';
  let used = 0;
  for (let index = 0; index < nodes; index++) {
    const start = page.readUInt16LE(HEADER_BYTES + 2 * index);
    if (start < upper || start + NODE_BYTES > room) return `node ${index} lies outside the page`;
    const bytes = kind === BRANCH ? branchNodeBytes(page, start) : leafNodeBytes(page, start);
    if (typeof bytes === 'string') return `node ${index} ${bytes}`;
    if (start + bytes > room) return `node ${index} reaches beyond the page`;
    used += bytes + (bytes % 2);
  }
  return used === room - upper ? undefined : `its nodes take ${used} bytes and not ${room - upper}`;
}

function branchNodeBytes(page: Buffer, start: number): number {
  return NODE_BYTES + page.readUInt16LE(HEADER_BYTES + start + 6);
}

function leafNodeBytes(page: Buffer, start: number): number | string {
  const at = HEADER_BYTES + start;
  const flags = page.readUInt16LE(at + 4);
  const key = NODE_BYTES + page.readUInt16LE(at + 6);
  if (flags === 0) return key + page.readUInt32LE(at);
  if (flags === BIG_VALUE) return key + BIG_VALUE_BYTES;
  if (flags === SUB_TREE) return page.readUInt32LE(at) === TREE_BYTES ? key + TREE_BYTES : 'is a tree of a wrong size';
  return `has unknown flags ${flags}`;
}
