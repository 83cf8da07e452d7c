import type { RootDatabase } from 'lmdb';

/** Bytes that a transaction writes besides its records: a path of pages in each changed tree, and the list of free pages. */
export const TRANSACTION_BYTES = 40_960;
/** Mean bytes that a record adds to its own: its page is written too, once for all records on it. */
const RECORD_BYTES = 2_048;

/** A consistent view of all tables. `readView` returns it. */
export type View = ReturnType<RootDatabase['useReadTransaction']> & { use(): void };

/** A map from bytes to bytes, ordered by key. Call `put` and `remove` only inside a transaction, where they take effect at once. */
export interface Table {
  get(key: Buffer, options?: { readonly transaction: View }): Buffer | undefined;
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
  getRange(range: Range): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
}

/** Keys from `start` on that are before `end`. */
export interface Range {
  readonly start?: Buffer;
  readonly end?: Buffer;
  readonly limit?: number;
  readonly transaction?: View;
}

/** Returns the same table, which counts the bytes that are written. */
export function counted(table: Table, written: { bytes: number }): Table {
  return {
    get: (key, options) => table.get(key, options),
    put(key, value) {
      written.bytes += RECORD_BYTES + value.length;
      table.put(key, value);
    },
    remove(key) {
      written.bytes += RECORD_BYTES;
      table.remove(key);
    },
    getRange: (range) => table.getRange(range),
  };
}

/** Number of pages at the begin of each data file. */
const META_PAGES = 2;

/** Numbers of pages of one tree, or of the whole environment, as lmdb reports them. */
interface Pages {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface TableStats extends Pages {
  readonly root: Pages;
  readonly free: Pages;
  readonly lastPageNumber: number;
}

/** Returns the bytes of the data file that are in use, and those that are free; `undefined` when all places for views are taken. */
export function countBytes(tables: readonly Table[]): { readonly live: number; readonly free: number } | undefined {
  try {
    const used = tables.map((table) => (table as unknown as { getStats(): TableStats }).getStats());
    const any = used[0];
    if (any === undefined) return undefined;
    const pages = [...used, any.root, any.free].reduce((sum, tree) => sum + pagesOf(tree), META_PAGES);
    return { live: pages * any.pageSize, free: Math.max(0, any.lastPageNumber + 1 - pages) * any.pageSize };
  } catch {
    return undefined;
  }
}

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Pages): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}
