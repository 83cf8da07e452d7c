import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { FITS } from '../checking/record-shapes.js';
import { pendingRestore, restoredLog } from '../env/prepare-directory.js';
import { DATA_FILE } from '../env/store-marker.js';
import { StoreOpenError } from '../env/store-open-error.js';
import type { LogReading } from '../log/log-files.js';
import type { LogRecord } from '../log/log-record.js';
import { type MetaPage, PageFile } from '../pages/page-file.js';
import { isPossibleLastPage, metaProblems, StoreTrees } from '../pages/store-trees.js';
import { isSound, itemFieldsIn } from '../tables/records.js';
import { TABLES } from '../tables/tables.js';
import { changeIn, entriesOf, type FoundRecord, FoundRecords, groupNames, splitItemKey } from './found-records.js';
import { scanPages } from './page-scan.js';
import { type Rebuilt, rebuildStore } from './rebuilt-store.js';

/** Lost items, and damaged pages, that a report names. Others are counted. */
const NAMED = 10_000;
/** The scratch store, inside the directory of the new store until it is complete. */
const SCRATCH = 'salvage-scratch';

export interface LostItem {
  readonly stream: string;
  readonly group: string;
  readonly item: string;
}

export interface DamagedPage {
  readonly table: string;
  readonly page?: number;
  readonly problem: string;
}

export interface Salvage extends Rebuilt {
  /** Items that existed, and whose newest value cannot be read. */
  readonly lost: readonly LostItem[];
  readonly lostCount: number;
  /** Records that fail their checksum, inside the trees. */
  readonly damagedRecords: number;
  readonly damagedPages: readonly DamagedPage[];
  readonly damagedPageCount: number;
  /** Unix milliseconds of the checkpoint that was read, because the next start would restore it. `undefined`: the newest data. */
  readonly restoresTo?: number;
  /** Transactions of the log after that checkpoint. */
  readonly logged?: number;
}

/**
 * Reads everything that can be read in a damaged data file, and writes it into a new store. It follows the trees first. When a page of them
 * is damaged, it also reads all leaf pages that no tree reaches, and keeps the newest state of each item. Memory does not grow with the
 * store: the records that were found wait in a scratch store, so the disk needs room for two copies.
 */
export async function salvageStore(directory: string, target: string): Promise<Salvage> {
  const restore = restoreOf(directory);
  const scratch = join(target, SCRATCH);
  const found = await FoundRecords.open(scratch);
  try {
    const log = typeof restore === 'object' ? restoredLog(directory, restore) : undefined;
    const reading = await readFile(directory, found, { restore, log });
    const rebuilt = await rebuildStore(target, found, reading.hasAllVersions);
    const { damagedPages, damagedPageCount, damagedRecords } = reading;
    const result = { ...rebuilt, damagedPages, damagedPageCount, damagedRecords, ...listLost(found) };
    if (typeof restore !== 'object') return result;
    return { ...result, restoresTo: restore.savedAt, ...(log === undefined ? {} : { logged: log.records.length }) };
  } finally {
    await found.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Files beside the data file that a start after a power cut would use. */
interface Beside {
  readonly restore: Restore;
  readonly log: LogReading | undefined;
}

async function readFile(directory: string, found: FoundRecords, beside: Beside): Promise<Reading> {
  const { restore, log } = beside;
  const file = new PageFile(join(directory, DATA_FILE), typeof restore === 'object' ? restore.root : undefined);
  try {
    const reading = await readAll(file, found, beside);
    await found.addAll(loggedRecords(log?.records ?? []), 'tree');
    return reading;
  } finally {
    file.close();
  }
}

/** Lists the items that exist and whose newest record was not found. */
function listLost(found: FoundRecords): Pick<Salvage, 'lost' | 'lostCount'> {
  const { changes, items, places } = found.tables;
  const lost: LostItem[] = [];
  let lostCount = 0;
  const lose = (key: Buffer) => {
    lostCount++;
    if (lost.length >= NAMED) return;
    const { group, item } = splitItemKey(key);
    const names = groupNames(found, group);
    lost.push({ stream: names.stream, group: names.group, item });
  };
  const view = found.readView();
  try {
    for (const { key, value } of entriesOf(changes, view)) {
      const { live, changed } = changeIn(value);
      const record = items.get(key, { transaction: view });
      if (live && (record === undefined || itemFieldsIn(record).changed !== changed)) lose(key);
    }
    for (const { key } of entriesOf(places, view)) if (changes.get(key, { transaction: view }) === undefined) lose(key);
  } finally {
    view.done();
  }
  return { lost, lostCount };
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

interface Reading {
  readonly damagedRecords: number;
  readonly damagedPages: readonly DamagedPage[];
  readonly damagedPageCount: number;
  /** Each version record of the store was read. */
  readonly hasAllVersions: boolean;
}

/** Damage of a data file, as the readers meet it. */
class Damage {
  readonly pages: DamagedPage[] = [];
  pageCount = 0;
  records = 0;
  readonly #tables = new Set<string>();

  addPage(page: DamagedPage): void {
    this.pageCount++;
    this.#tables.add(page.table);
    if (this.pages.length < NAMED) this.pages.push(page);
  }

  addRecord(table: string): void {
    this.records++;
    this.#tables.add(table);
  }

  /** Returns whether nothing of a table was damaged, and nothing that leads to it. */
  isWhole(table: string): boolean {
    return ![table, 'names', 'meta page', 'checkpoint', 'log'].some((each) => this.#tables.has(each));
  }

  result(): Reading {
    const { records: damagedRecords, pages: damagedPages, pageCount: damagedPageCount } = this;
    return { damagedRecords, damagedPages, damagedPageCount, hasAllVersions: this.isWhole('versions') };
  }
}

async function readAll(file: PageFile, found: FoundRecords, { restore, log }: Beside): Promise<Reading> {
  const damage = new Damage();
  for (const problem of metaProblems(file)) damage.addPage({ table: 'meta page', ...problem });
  if (typeof restore === 'string') damage.addPage({ table: 'checkpoint', problem: restore });
  const isOldMeta = damage.pageCount > 0;
  if (log?.problem !== undefined) damage.addPage({ table: 'log', problem: log.problem });
  const newest = newestOf(file);
  if (newest === undefined) {
    await found.addAll(
      scanPages(file, () => true),
      'outside',
    );
    return damage.result();
  }
  const trees = new StoreTrees(file, newest, (table, page, problem) => damage.addPage({ table, page, problem }));
  await found.addAll(treeRecords(trees, damage), 'tree');
  const free = trees.readFreePages();
  const result = damage.result();
  if (damage.pageCount === 0) return result;
  // Free pages have old records, also of deleted items. After a damaged meta page, they may have the newest ones.
  const hidden = isOldMeta ? undefined : free;
  // Pages after a checkpoint are of transactions that the power cut has torn.
  const last = typeof restore === 'object' ? newest.transaction : Number.POSITIVE_INFINITY;
  const isWanted = (page: number, transaction: number) => transaction <= last && !trees.isSoundPage(page) && hidden?.has(page) !== true;
  await found.addAll(scanPages(file, isWanted), isOldMeta ? 'outside' : 'outside_newest');
  return result;
}

/** Returns the newest meta page that names a possible last page. */
function newestOf(file: PageFile): MetaPage | undefined {
  const metas = file.metas.filter((meta) => typeof meta === 'object' && isPossibleLastPage(file, meta.lastPage)) as MetaPage[];
  return metas.sort((a, b) => b.transaction - a.transaction)[0];
}

/** Yields what transactions have written. Other records, such as tombstones, say what they removed. */
function* loggedRecords(records: readonly LogRecord[]): Generator<FoundRecord> {
  for (const { operations } of records) {
    for (const { table: number, key, value: record } of operations) {
      const table = TABLES[number];
      if (table !== undefined && record !== undefined && isSound(key, record) && FITS[table](key, record)) yield { table, key, record };
    }
  }
}

/** Yields the sound records of all tables. */
function* treeRecords(trees: StoreTrees, damage: Damage): Generator<FoundRecord> {
  const tables = trees.tables();
  for (const table of TABLES) {
    const tree = tables.get(table);
    if (tree === undefined) continue;
    const reader = trees.read(table, tree);
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      const { key, value: record } = entry;
      if (isSound(key, record) && FITS[table](key, record)) yield { table, key, record };
      else damage.addRecord(table);
    }
  }
}
