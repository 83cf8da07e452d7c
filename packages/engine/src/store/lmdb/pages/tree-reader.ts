import { META_PAGES, type PageFile } from './page-file.js';
import {
  BIG_VALUE_BYTES,
  BRANCH,
  childAt,
  flagsOf,
  HEADER_BYTES,
  keyAt,
  LEAF,
  leafNode,
  nodeCount,
  OVERFLOW,
  overflowPagesOf,
  pageNumberOf,
  pagesFor,
  problemOfPage,
  readTree,
  type TreeRecord,
  transactionOf,
  wideAt,
} from './page-layout.js';
import type { PageSet } from './page-set.js';

/** LMDB has at most this many levels. */
const DEEPEST = 32;

/** An entry of a tree. The buffers belong to the reader and change with the next entry. */
export interface TreeEntry {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly page: number;
  /** Pages of a value that does not fit on the page of its entry. */
  readonly valuePages: { readonly first: number; readonly count: number } | undefined;
  /** The entry is the record of another tree. */
  readonly tree: TreeRecord | undefined;
}

export interface TreeReaderOptions {
  readonly file: PageFile;
  readonly tree: TreeRecord;
  /** Pages from here on do not exist. */
  readonly endPage: number;
  /** No page is from a later transaction. */
  readonly transaction: number;
  /** Pages that are in use; each page is used once. */
  readonly used: PageSet;
  /** The keys are numbers of eight bytes, least significant byte first. */
  readonly hasNumberKeys?: boolean;
  /** The tree of names, whose entries are records of other trees. */
  readonly hasTrees?: boolean;
  /** The tree of the free list, in which a branch page may have one child. */
  readonly mayHaveThinBranches?: boolean;
  readonly onProblem: (page: number, problem: string) => void;
}

interface Level {
  readonly buffer: Buffer;
  page: number;
  index: number;
  count: number;
  /** Keys of the page are below this one. `undefined`: without bound. */
  end: Buffer | undefined;
}

/**
 * Reads the entries of a tree in the order of keys. Each page is checked before it is used. Below a damaged page, nothing is read: the
 * reader reports the page and goes on behind it.
 */
export class TreeReader {
  readonly #options: TreeReaderOptions;
  readonly #levels: Level[] = [];
  readonly #counts = { branchPages: 0, leafPages: 0, overflowPages: 0, entries: 0 };
  #isComplete = true;
  #begun = false;

  constructor(options: TreeReaderOptions) {
    this.#options = options;
  }

  /** Returns the next entry; `undefined` at the end. */
  next(): TreeEntry | undefined {
    if (!this.#begun) this.#begin();
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      if (level.index === level.count) {
        this.#levels.pop();
        if (this.#levels.length === 0) this.#finish();
        continue;
      }
      const index = level.index++;
      if (this.#levels.length < this.#options.tree.depth) {
        this.#descend(level, index);
        continue;
      }
      const entry = this.#entry(level, index);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  #begin(): void {
    this.#begun = true;
    const { root, depth } = this.#options.tree;
    if (root === undefined) return this.#finish();
    if (depth === 0 || depth > DEEPEST) return this.#report(root, `the tree of this root has ${depth} levels`);
    this.#push(root, this.#options.transaction, undefined, undefined);
  }

  #descend(parent: Level, index: number): void {
    const start = index === 0 ? undefined : keyAt(parent.buffer, index);
    const end = index + 1 < parent.count ? keyAt(parent.buffer, index + 1) : parent.end;
    this.#push(childAt(parent.buffer, index), transactionOf(parent.buffer), start, end);
  }

  /** Reads and checks a page, and goes on with its nodes. */
  #push(page: number, transaction: number, start: Buffer | undefined, end: Buffer | undefined): void {
    const { file, used, endPage, tree, mayHaveThinBranches } = this.#options;
    if (page < META_PAGES || page >= endPage) return this.#report(page, 'a tree names this page, which does not exist');
    if (!used.add(page)) return this.#report(page, 'two places use this page');
    const depth = this.#levels.length + 1;
    const kind = depth < tree.depth ? BRANCH : LEAF;
    const buffer = Buffer.allocUnsafe(file.pageBytes);
    if (!file.read(page, buffer)) return this.#report(page, 'it lies behind the end of the file');
    if (pageNumberOf(buffer) !== page) return this.#report(page, `its header names page ${pageNumberOf(buffer)}`);
    if (transactionOf(buffer) > transaction)
      return this.#report(page, `it is from transaction ${transactionOf(buffer)}, the page above it from ${transaction}`);
    const problem = problemOfPage(buffer, kind) ?? this.#problemOfOrder(buffer, kind, start, end);
    if (problem !== undefined) return this.#report(page, problem);
    const count = nodeCount(buffer);
    if (kind === BRANCH && count < 2 && mayHaveThinBranches !== true) return this.#report(page, 'it is a branch with one child');
    if (kind === BRANCH) this.#counts.branchPages++;
    else this.#counts.leafPages++;
    this.#levels.push({ buffer, page, index: 0, count, end });
  }

  /** The first key of a branch page has no meaning. */
  #problemOfOrder(buffer: Buffer, kind: number, start: Buffer | undefined, end: Buffer | undefined): string | undefined {
    const count = nodeCount(buffer);
    let before = start;
    for (let index = kind === BRANCH ? 1 : 0; index < count; index++) {
      const key = keyAt(buffer, index);
      if (key.length === 0) return `node ${index} has no key`;
      if (this.#options.hasNumberKeys === true && key.length !== 8) return `node ${index} has a key of ${key.length} bytes`;
      if (before !== undefined && this.#compare(before, key) >= (before === start ? 1 : 0)) return `node ${index} is not in order`;
      before = key;
    }
    return before !== undefined && end !== undefined && this.#compare(before, end) >= 0
      ? 'its last key belongs to another page'
      : undefined;
  }

  #compare(a: Buffer, b: Buffer): number {
    return this.#options.hasNumberKeys === true ? wideAt(a, 0) - wideAt(b, 0) : Buffer.compare(a, b);
  }

  #entry(level: Level, index: number): TreeEntry | undefined {
    const { buffer, page } = level;
    const node = leafNode(buffer, index);
    const key = buffer.subarray(node.keyStart, node.keyStart + node.keyBytes);
    this.#counts.entries++;
    if ((node.kind === 'tree') !== (this.#options.hasTrees === true)) return this.#lose(page, `its entry ${index} belongs to another tree`);
    if (node.kind === 'big') {
      const value = this.#bigValue(buffer, node.valueStart, node.valueBytes, page);
      return value === undefined ? undefined : { key, ...value, page, tree: undefined };
    }
    const value = buffer.subarray(node.valueStart, node.valueStart + node.valueBytes);
    return { key, value, page, valuePages: undefined, tree: node.kind === 'tree' ? readTree(buffer, node.valueStart) : undefined };
  }

  #bigValue(buffer: Buffer, at: number, bytes: number, leaf: number): Pick<TreeEntry, 'value' | 'valuePages'> | undefined {
    const { file, endPage, used } = this.#options;
    const page = wideAt(buffer, at);
    const pages = wideAt(buffer, at + BIG_VALUE_BYTES - 8);
    // A value that became smaller keeps its pages.
    if (pages < pagesFor(bytes, file.pageBytes)) return this.#lose(leaf, `it says that a value of ${bytes} bytes has ${pages} pages`);
    if (page < META_PAGES || !(page + pages <= endPage)) return this.#lose(leaf, `it names page ${page} for a value, which does not exist`);
    for (let each = page; each < page + pages; each++) if (!used.add(each)) return this.#lose(each, 'two places use this page');
    this.#counts.overflowPages += pages;
    const value = Buffer.allocUnsafe(pages * file.pageBytes);
    if (!file.read(page, value)) return this.#lose(page, 'it lies behind the end of the file');
    if (pageNumberOf(value) !== page || flagsOf(value) !== OVERFLOW || overflowPagesOf(value) !== pages)
      return this.#lose(page, 'its header is not that of a value');
    return { value: value.subarray(HEADER_BYTES, HEADER_BYTES + bytes), valuePages: { first: page, count: pages } };
  }

  #lose(page: number, problem: string): undefined {
    this.#report(page, problem);
    return undefined;
  }

  #report(page: number, problem: string): void {
    this.#isComplete = false;
    this.#options.onProblem(page, problem);
  }

  /** The record of a tree has counts, so a page of an older transaction with other entries shows. */
  #finish(): void {
    if (!this.#isComplete) return;
    const { tree } = this.#options;
    for (const name of ['branchPages', 'leafPages', 'overflowPages', 'entries'] as const) {
      if (tree[name] !== this.#counts[name])
        this.#report(tree.root ?? 0, `the tree of this root has ${this.#counts[name]} ${name} and not ${tree[name]}`);
    }
  }
}
