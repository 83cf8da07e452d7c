import { join } from 'node:path';
import { FITS } from '../checking/record-shapes.js';
import { pendingRestore } from '../env/checkpoints.js';
import { DATA_FILE } from '../env/store-marker.js';
import { StoreOpenError } from '../env/store-open-error.js';
import { type MetaPage, PageFile } from '../pages/page-file.js';
import { isPossibleLastPage, metaProblems, StoreTrees } from '../pages/store-trees.js';
import { isSound } from '../tables/records.js';
import { TABLES } from '../tables/tables.js';
import { FoundRecords, groupNames, splitName } from './found-records.js';
import { scanPages } from './page-scan.js';
import { type Rebuilt, rebuildStore } from './rebuilt-store.js';

/** Lost items that a report names. Others are counted. */
const NAMED = 10_000;

export interface LostItem {
  readonly stream: string;
  readonly group: string;
  readonly item: string;
}

export interface Salvage extends Rebuilt {
  /** Items that existed, and whose newest value cannot be read. */
  readonly lost: readonly LostItem[];
  readonly lostCount: number;
  /** Records that fail their checksum, inside the trees. */
  readonly damagedRecords: number;
  /** Damaged pages. */
  readonly damagedPages: readonly { readonly table: string; readonly page?: number; readonly problem: string }[];
  /** Groups whose name no record has. They are in the stream `salvaged`. */
  readonly unnamedGroups: number;
  /** Unix milliseconds of the checkpoint that was read, because the next start would restore it. `undefined`: the newest data. */
  readonly restoresTo?: number;
}

/**
 * Reads everything that can be read in a damaged data file, and writes it into a new store. It follows the trees first. When a page of them
 * is damaged, it also reads all leaf pages that no tree reaches, and keeps the newest state of each item.
 */
export async function salvageStore(directory: string, target: string): Promise<Salvage> {
  const restore = restoreOf(directory);
  const root = typeof restore === 'object' ? restore.root : undefined;
  const file = new PageFile(join(directory, DATA_FILE), root);
  const found = new FoundRecords();
  let reading: Reading;
  try {
    reading = readAll(file, found, restore);
  } finally {
    file.close();
  }
  const rebuilt = await rebuildStore(target, found);
  const lost: LostItem[] = [];
  let lostCount = 0;
  for (const name of found.lost()) {
    lostCount++;
    if (lost.length >= NAMED) continue;
    const { group, item } = splitName(name);
    lost.push({ ...groupNames(found, group), item });
  }
  const groups = new Set([...found.items].filter(([, { live }]) => live).map(([name]) => splitName(name).group));
  const unnamedGroups = [...groups].filter((group) => found.nameOf(group) === undefined).length;
  const result = { ...rebuilt, ...reading, lost, lostCount, unnamedGroups };
  return typeof restore === 'object' ? { ...result, restoresTo: restore.savedAt } : result;
}

/** Returns the checkpoint that the next start would restore, or what is wrong with it. */
type Restore = ReturnType<typeof pendingRestore> | string;

function restoreOf(directory: string): Restore {
  try {
    return pendingRestore(directory);
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    return error.message;
  }
}

type Reading = Pick<Salvage, 'damagedRecords' | 'damagedPages'>;

function readAll(file: PageFile, found: FoundRecords, restore: Restore): Reading {
  const damagedPages: { table: string; page?: number; problem: string }[] = metaProblems(file).map((each) => ({
    table: 'meta page',
    ...each,
  }));
  if (typeof restore === 'string') damagedPages.push({ table: 'checkpoint', problem: restore });
  const isOldMeta = damagedPages.length > 0;
  const newest = newestOf(file);
  if (newest === undefined) {
    scan(file, found, () => true);
    return { damagedPages, damagedRecords: 0 };
  }
  const trees = new StoreTrees(file, newest, (table, page, problem) => damagedPages.push({ table, page, problem }));
  const damagedRecords = readTrees(trees, found);
  const free = trees.readFreePages();
  if (damagedPages.length === 0) return { damagedPages, damagedRecords };
  // Free pages have old records, also of deleted items. After a damaged meta page, they may have the newest ones.
  const hidden = isOldMeta ? undefined : free;
  // Pages after a checkpoint are of transactions that the power cut has torn.
  const last = typeof restore === 'object' ? newest.transaction : Number.POSITIVE_INFINITY;
  scan(file, found, (page, transaction) => transaction <= last && !trees.isSoundPage(page) && hidden?.has(page) !== true);
  return { damagedPages, damagedRecords };
}

/** Returns the newest meta page that names a possible last page. */
function newestOf(file: PageFile): MetaPage | undefined {
  const metas = file.metas.filter((meta) => typeof meta === 'object' && isPossibleLastPage(file, meta.lastPage)) as MetaPage[];
  return metas.sort((a, b) => b.transaction - a.transaction)[0];
}

/** Returns the number of damaged records. */
function readTrees(trees: StoreTrees, found: FoundRecords): number {
  const tables = trees.tables();
  let damaged = 0;
  for (const table of TABLES) {
    const tree = tables.get(table);
    if (tree === undefined) continue;
    const reader = trees.read(table, tree);
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      if (isSound(entry.key, entry.value) && FITS[table](entry.key, entry.value)) found.add(table, entry.key, entry.value);
      else damaged++;
    }
  }
  return damaged;
}

function scan(file: PageFile, found: FoundRecords, isWanted: (page: number, transaction: number) => boolean): void {
  for (const { table, key, record } of scanPages(file, isWanted)) found.add(table, key, record);
}
