import { RivuletError } from '@rivulet/protocol';
import type { RootDatabase } from 'lmdb';
import type { RecordBuffer } from '../log/log-record.js';

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

/** The work of an environment that its tables have to report. */
export interface TableUse {
  /** Bytes that were written. */
  bytes: number;
  /** Called when LMDB meets a damaged page. */
  readonly onDamage: (error: Error) => void;
}

/** Where the changes of a table are recorded, and under which number. */
export interface Recording {
  readonly record: RecordBuffer;
  readonly number: number;
}

/** Returns the same table, which reports its use and records the changes. A damaged page throws CORRUPT_ITEM, as a damaged record does. */
export function observed(table: Table, use: TableUse, recording?: Recording): Table {
  return {
    get: (key, options) => guarded(use, () => table.get(key, options)),
    put(key, value) {
      use.bytes += RECORD_BYTES + value.length;
      recording?.record.put(recording.number, key, value);
      guarded(use, () => table.put(key, value));
    },
    remove(key) {
      use.bytes += RECORD_BYTES;
      recording?.record.remove(recording.number, key);
      guarded(use, () => table.remove(key));
    },
    getRange: (range) => ({
      [Symbol.iterator]() {
        const entries = guarded(use, () => table.getRange(range)[Symbol.iterator]());
        return {
          next: () => guarded(use, () => entries.next()),
          return: () => entries.return?.() ?? { done: true, value: undefined },
        };
      },
    }),
  };
}

/** Errors of LMDB that say that a page is damaged: not found, corrupted, panic, and a transaction that met one of them. */
const DAMAGE = new Set([-30_797, -30_796, -30_795, -30_782]);

function guarded<T>(use: TableUse, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !DAMAGE.has(error.code as number)) throw error;
    use.onDamage(error);
    const remedy = 'restart the engine, which then checks the store and names the remedy';
    throw new RivuletError('CORRUPT_ITEM', `a page of the store is damaged; ${remedy}`, { cause: error });
  }
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
