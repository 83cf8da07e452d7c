import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FREE_LIST_FLAGS, flagsOf, HEADER_BYTES, META, pageNumberOf, readTree, type TreeRecord, wideAt } from './page-layout.js';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_BYTES = 136;
const SMALLEST_PAGE = 512;
const LARGEST_PAGE = 65_536;
/** An option of the whole file, which programs with other options than ours set. */
const OVERLAPPING_SYNC = 0x1000;
/** Bytes that a process can map into memory. */
const LARGEST_MAP = 2 ** 47;
/** The first pages of a file are its meta pages. */
export const META_PAGES = 2;
/** Page size that is assumed when both meta pages are damaged. */
const USUAL_PAGE = 4_096;

const TRANSACTION_AT = 128;

/**
 * Returns the root that a meta page has when `root` is the newest one. Transaction `n` has its root in page `n % 2`; the other page gets
 * the same root as that of transaction `n - 1`. `undefined`: the page stays as it is, because there was no earlier transaction.
 */
export function rootForPage(root: Buffer, page: number): Buffer | undefined {
  const transaction = root.readBigUInt64LE(TRANSACTION_AT);
  const own = Number(transaction % 2n) === page ? transaction : transaction - 1n;
  if (own < 0n) return undefined;
  const copy = Buffer.from(root);
  copy.writeBigUInt64LE(own, TRANSACTION_AT);
  return copy;
}

/** A meta page: where the trees of one transaction begin. LMDB uses the page with the higher transaction. */
export interface MetaPage {
  readonly pageBytes: number;
  readonly free: TreeRecord;
  readonly names: TreeRecord;
  readonly lastPage: number;
  readonly transaction: number;
}

/**
 * The data file of an LMDB environment, read with plain `read` calls. LMDB maps the file into memory and trusts it, so a damaged page can
 * crash the process. This class reads bytes only.
 */
export class PageFile {
  readonly bytes: number;
  readonly pageBytes: number;
  /** Both meta pages, or what is wrong with them. */
  readonly metas: readonly (MetaPage | string)[];
  readonly #handle: number;
  readonly #root: Buffer | undefined;

  /** `root`: the roots of an earlier transaction, which count instead of those in the meta pages. @default those of the file */
  constructor(path: string, root?: Buffer) {
    this.#root = root;
    this.#handle = openSync(path, 'r');
    try {
      this.bytes = fstatSync(this.#handle).size;
      const first = this.#readMeta(0, 0);
      const pageBytes = typeof first === 'object' ? first.pageBytes : this.#findPageSize();
      this.pageBytes = pageBytes;
      const second = this.#readMeta(1, pageBytes);
      const isOther = typeof first === 'object' && typeof second === 'object' && first.pageBytes !== second.pageBytes;
      this.metas = [first, isOther ? 'its page size differs from that of page 0' : second];
    } catch (error) {
      closeSync(this.#handle);
      throw error;
    }
  }

  /** Number of whole pages in the file. */
  get pages(): number {
    return Math.floor(this.bytes / this.pageBytes);
  }

  /** The meta page that LMDB uses; `undefined` when both are damaged. */
  get newest(): MetaPage | undefined {
    const [first, second] = this.metas;
    if (typeof first !== 'object') return typeof second === 'object' ? second : undefined;
    return typeof second === 'object' && second.transaction > first.transaction ? second : first;
  }

  /** Reads a page, or several that follow each other, into `target`. Returns false when the file is too short. */
  read(page: number, target: Buffer): boolean {
    return readSync(this.#handle, target, 0, target.length, page * this.pageBytes) === target.length;
  }

  close(): void {
    closeSync(this.#handle);
  }

  /** A damaged first meta page hides the page size. The second meta page then shows it by its place. */
  #findPageSize(): number {
    for (let size = SMALLEST_PAGE; size <= LARGEST_PAGE; size *= 2) {
      const meta = this.#readMeta(1, size);
      if (typeof meta === 'object' && meta.pageBytes === size) return size;
    }
    return USUAL_PAGE;
  }

  #readMeta(page: number, at: number): MetaPage | string {
    const buffer = Buffer.alloc(HEADER_BYTES + META_BYTES);
    if (readSync(this.#handle, buffer, 0, buffer.length, at) < buffer.length) return 'it is cut off';
    if (pageNumberOf(buffer) !== page || flagsOf(buffer) !== META) return 'its header is not that of a meta page';
    const meta = buffer.subarray(HEADER_BYTES);
    if (this.#root !== undefined) rootForPage(this.#root, page)?.copy(meta, 0, 0, META_BYTES);
    if (meta.readUInt32LE(0) !== MAGIC) return 'it is no meta page of LMDB';
    if (meta.readUInt32LE(4) !== DATA_VERSION) return `its data version is ${meta.readUInt32LE(4)} and not ${DATA_VERSION}`;
    const pageBytes = meta.readUInt32LE(24);
    if (pageBytes < SMALLEST_PAGE || pageBytes > LARGEST_PAGE || (pageBytes & (pageBytes - 1)) !== 0)
      return `its page size is ${pageBytes}`;
    const [free, names] = [readTree(meta, 24), readTree(meta, 72)];
    if ((free.flags & ~OVERLAPPING_SYNC) !== FREE_LIST_FLAGS || names.flags !== 0)
      return `its options are ${free.flags} and ${names.flags}`;
    const [address, mapped] = [wideAt(meta, 8), wideAt(meta, 16)];
    if (address !== 0 || mapped > LARGEST_MAP) return `it maps ${mapped} bytes at ${address}`;
    const transaction = wideAt(meta, TRANSACTION_AT);
    if (!Number.isSafeInteger(transaction) || (transaction > 0 && transaction % 2 !== page)) return `its transaction is ${transaction}`;
    return { pageBytes, free, names, lastPage: wideAt(meta, 120), transaction };
  }
}
