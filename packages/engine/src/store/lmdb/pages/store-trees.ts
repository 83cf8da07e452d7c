import { META_PAGES, type MetaPage, type PageFile } from './page-file.js';
import type { TreeRecord } from './page-layout.js';
import { PageSet } from './page-set.js';
import { TreeReader } from './tree-reader.js';

/** Receives each problem. `tree` is a table, `names`, `free list` or `meta`. */
export type OnProblem = (tree: string, page: number, problem: string) => void;

/**
 * All trees of a data file as of its newest transaction. Use it in this order:
 *
 * 1. `tables`, which reads the tree of names.
 * 2. `read` for each table, to its end.
 * 3. `checkFreeList`, which compares the free pages with the pages that the trees use.
 */
export class StoreTrees {
  readonly #file: PageFile;
  readonly #meta: MetaPage;
  readonly #onProblem: OnProblem;
  readonly #used: PageSet;
  /** Pages on which a reader reported a problem. */
  readonly #damaged = new Set<number>();
  readonly #endPage: number;
  /** Pages on which something is wrong. */
  #problems = 0;

  constructor(file: PageFile, meta: MetaPage, onProblem: OnProblem) {
    this.#file = file;
    this.#meta = meta;
    this.#onProblem = (...problem) => {
      this.#problems++;
      this.#damaged.add(problem[1]);
      onProblem(...problem);
    };
    // Pages behind the end of the file are free: LMDB writes them only when it uses them.
    this.#endPage = Math.min(meta.lastPage + 1, Math.max(file.pages, META_PAGES));
    this.#used = new PageSet(this.#endPage);
  }

  /** Returns whether a tree uses this page, and no reader found a problem on it. */
  isSoundPage(page: number): boolean {
    return this.#used.has(page) && !this.#damaged.has(page);
  }

  /** Returns the tables by their names. */
  tables(): Map<string, TreeRecord> {
    const tables = new Map<string, TreeRecord>();
    const names = this.#reader('names', this.#meta.names);
    for (let entry = names.next(); entry !== undefined; entry = names.next()) {
      // lmdb ends names with a zero byte.
      const name = entry.key.toString('utf8', 0, Math.max(0, entry.key.length - 1));
      if (entry.tree === undefined) continue;
      if (entry.tree.flags !== 0)
        this.#onProblem('names', entry.page, `the table ${JSON.stringify(name)} has the options ${entry.tree.flags}`);
      else tables.set(name, entry.tree);
    }
    return tables;
  }

  read(table: string, tree: TreeRecord): TreeReader {
    return this.#reader(table, tree);
  }

  readFreeList(): TreeReader {
    return this.#reader('free list', this.#meta.free);
  }

  /** Reports pages that are free and in use. Returns the number of free pages, and of pages that are neither; those are lost space. */
  checkFreeList(): { readonly free: number; readonly lost: number } {
    const free = this.#freePages();
    if (this.#problems > 0) return { free: free.size, lost: 0 };
    let lost = 0;
    for (let page = META_PAGES; page <= this.#meta.lastPage; page++) {
      const isUsed = this.#used.has(page);
      if (isUsed && free.has(page)) this.#onProblem('free list', page, 'a tree uses this page, which is free');
      if (!isUsed && !free.has(page)) lost++;
    }
    return { free: free.size, lost };
  }

  /** Returns the free pages; `undefined` when the list of them is damaged. */
  readFreePages(): PageSet | undefined {
    const before = this.#problems;
    const free = this.#freePages();
    return this.#problems === before ? free : undefined;
  }

  #freePages(): PageSet {
    const free = new PageSet(this.#meta.lastPage + 1);
    const reader = this.readFreeList();
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      const problem = this.#addFree(free, entry.value);
      if (problem !== undefined) this.#onProblem('free list', entry.page, problem);
    }
    return free;
  }

  /** A list has its length, then page numbers. A negative number is the length of a block; the first page of the block follows. */
  #addFree(free: PageSet, list: Buffer): string | undefined {
    if (list.length < 8 || list.length % 8 !== 0) return `a list of free pages has ${list.length} bytes`;
    const length = Number(list.readBigInt64LE(0));
    if (length < 0 || length > list.length / 8 - 1) return `a list of free pages has the length ${length}`;
    for (let index = 1; index <= length; index++) {
      const number = Number(list.readBigInt64LE(8 * index));
      if (number === 0) continue;
      const pages = number < 0 ? -number : 1;
      if (number < 0 && index === length) return 'a list of free pages ends in a block';
      const first = number < 0 ? Number(list.readBigInt64LE(8 * ++index)) : number;
      if (first < META_PAGES || first + pages > this.#meta.lastPage + 1) return `page ${first} is free and does not exist`;
      for (let page = first; page < first + pages; page++) if (!free.add(page)) return `page ${page} is free twice`;
    }
    return undefined;
  }

  #reader(name: string, tree: TreeRecord): TreeReader {
    const isFreeList = name === 'free list';
    return new TreeReader({
      file: this.#file,
      tree,
      endPage: this.#endPage,
      transaction: this.#meta.transaction,
      used: this.#used,
      hasNumberKeys: isFreeList,
      hasTrees: name === 'names',
      mayHaveThinBranches: isFreeList,
      onProblem: (page, problem) => this.#onProblem(name, page, problem),
    });
  }
}

/** The file may end before its last pages, if they are free. A number without measure is damage. */
export function isPossibleLastPage(file: PageFile, lastPage: number): boolean {
  return lastPage >= 1 && lastPage <= file.pages * 4 + 65_536;
}

/** Returns the problems of the two meta pages, none of which LMDB may meet. */
export function metaProblems(file: PageFile): readonly { readonly page: number; readonly problem: string }[] {
  const problems: { readonly page: number; readonly problem: string }[] = file.metas.flatMap((meta, page) =>
    typeof meta === 'string' ? [{ page, problem: meta }] : [],
  );
  const [first, second] = file.metas;
  if (typeof first !== 'object' || typeof second !== 'object') return problems;
  for (const [page, { lastPage }] of [first, second].entries())
    if (!isPossibleLastPage(file, lastPage)) problems.push({ page, problem: `its last page is ${lastPage}` });
  // LMDB leaves one page at transaction 0 in a new file and in a compacted copy.
  const isNew = first.transaction === 0 || second.transaction === 0;
  if (!isNew && Math.abs(first.transaction - second.transaction) !== 1)
    problems.push({ page: 0, problem: `the meta pages are of the transactions ${first.transaction} and ${second.transaction}` });
  return problems;
}
