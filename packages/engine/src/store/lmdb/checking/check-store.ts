import { join } from 'node:path';
import { DATA_FILE } from '../env/store-marker.js';
import { type MetaPage, PageFile } from '../pages/page-file.js';
import type { TreeRecord } from '../pages/page-layout.js';
import { metaProblems, StoreTrees } from '../pages/store-trees.js';
import type { TreeReader } from '../pages/tree-reader.js';
import { expiryKey, isSound, itemFieldsIn, numberAt, splitHeadKey } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import { explainGroups } from './explain-groups.js';
import { Findings } from './findings.js';
import { ADD_LINK, GroupLinks, GroupReader, type GroupTable, type GroupLinks as Links } from './group-links.js';
import { HeadList } from './head-list.js';
import { LinkSum } from './link-sum.js';
import { FITS } from './record-shapes.js';
import { type CheckedTotals, checkState } from './state-check.js';

export type TableName = keyof Tables;

/** The result of a check. */
export interface StoreCheck {
  readonly findings: Findings;
  readonly bytes: number;
  readonly pages: number;
  readonly freePages: number;
  /** Pages that are in no tree and not free. They only cost space. */
  readonly lostPages: number;
  readonly groups: number;
  /** Live items. */
  readonly items: number;
  /** The newest transaction; `undefined` when both meta pages are damaged. */
  readonly transaction: number | undefined;
  /** Unix milliseconds of the checkpoint that was checked, because the next start restores it. `undefined`: the newest data. */
  readonly restoresTo?: number;
  /** Transactions of the log, which the next start applies to that checkpoint. */
  readonly logged?: number;
}

/**
 * Checks everything in a data file: each page, the checksum of each record, and the links between the tables. It reads the file and never
 * opens it with LMDB, so damage cannot crash the process. No engine may write meanwhile. `root`: the roots to check. @default the newest
 */
export function checkStore(directory: string, root?: Buffer): StoreCheck {
  const file = new PageFile(join(directory, DATA_FILE), root);
  try {
    const findings = new Findings();
    for (const { page, problem } of metaProblems(file)) findings.add({ kind: 'page', table: 'meta page', page, problem });
    const { newest } = file;
    const nothing = { freePages: 0, lostPages: 0, groups: 0, items: 0 };
    const totals = newest === undefined || findings.count > 0 ? nothing : new Walk(file, newest, findings).run();
    return { findings, bytes: file.bytes, pages: file.pages, transaction: newest?.transaction, ...totals };
  } finally {
    file.close();
  }
}

class Walk {
  readonly #file: PageFile;
  readonly #meta: MetaPage;
  readonly #findings: Findings;
  readonly #trees: StoreTrees;
  readonly #tables: Map<string, TreeRecord>;
  readonly #heads = new HeadList();
  readonly #expiriesOfItems = new LinkSum();
  readonly #suspects = new Set<number>();
  /** Groups with a damaged item, whose bytes are not known. */
  readonly #damagedGroups = new Set<number>();
  #items = 0;

  constructor(file: PageFile, meta: MetaPage, findings: Findings) {
    this.#file = file;
    this.#meta = meta;
    this.#findings = findings;
    this.#trees = new StoreTrees(file, meta, (table, page, problem) => findings.add({ kind: 'page', table, page, problem }));
    this.#tables = this.#trees.tables();
  }

  run(): Pick<StoreCheck, 'freePages' | 'lostPages' | 'groups' | 'items'> {
    this.#readHeads();
    this.#checkGroups();
    const hasAllExpiries = this.#sumExpiries().equals(this.#expiriesOfItems);
    const totals = this.#checkOthers();
    const { free, lost } = this.#trees.checkFreeList();
    // A page that is missing explains more than the records on it.
    if (!this.#findings.areBlocking) checkState(totals, this.#findings);
    if (this.#suspects.size > 0) this.#explain();
    if (!hasAllExpiries) this.#findMissingExpiries();
    return { freePages: free, lostPages: lost, groups: this.#heads.size, items: this.#items };
  }

  #readHeads(): void {
    this.#eachSound('heads', (key, record) => this.#heads.add(key, record));
    this.#heads.sort();
  }

  /** Reads the three tables of items side by side, group by group. */
  #checkGroups(): void {
    const onBad = (table: string, key: Buffer, page: number, isForeign: boolean) =>
      isForeign ? this.#addForeign(table, page) : this.#addDamaged(table, key, page);
    const readers = (['items', 'order', 'versions'] as const).map((table) => ({
      table,
      reader: new GroupReader(table, this.#reader(table), onBad),
    }));
    const withoutItems = this.#heads.numbersWithItems();
    for (;;) {
      const group = Math.min(...readers.map(({ reader }) => reader.group));
      if (group === Number.POSITIVE_INFINITY) break;
      const links = new GroupLinks();
      for (const { table, reader } of readers) if (reader.group === group) this.#readGroup(table, reader, links);
      this.#checkGroup(group, links);
      withoutItems.delete(group);
    }
    for (const group of withoutItems) this.#suspects.add(group);
  }

  #readGroup(table: GroupTable, reader: GroupReader, links: Links): void {
    const add = ADD_LINK[table];
    reader.readGroup((key, record) => add(links, key, record, (bytes, ...numbers) => this.#expiriesOfItems.add(bytes, ...numbers)));
  }

  #checkGroup(group: number, links: Links): void {
    this.#items += links.createdInItems.count;
    const head = this.#heads.find(group);
    if (head === undefined || head.items !== links.createdInItems.count || head.offset < links.lastChange || !links.agree)
      this.#suspects.add(group);
    else if (head.bytes !== undefined && head.bytes !== links.bytes && !this.#damagedGroups.has(group))
      this.#addCount(group, head.bytes, links.bytes);
  }

  /** A page of old records was found before, so this is a count only. */
  #addCount(group: number, counted: number, bytes: number): void {
    const problem = `the head of the group counts ${counted} bytes, and its items have ${bytes}`;
    this.#findings.add({ kind: 'count', table: 'heads', problem, ...this.#heads.nameOf(group) });
  }

  #checkOthers(): CheckedTotals {
    const keys = { count: 0, bytes: 0, sum: new LinkSum(), ages: new LinkSum() };
    this.#each('keys', (key, record, sound) => {
      keys.count++;
      keys.bytes += record.length;
      if (sound) keys.sum.add(key, numberAt(record.subarray(4), 0));
    });
    this.#eachSound('key_ages', (key) => keys.ages.add(key.subarray(6), numberAt(key, 0)));
    this.#eachSound('tombstones', () => {});
    let state: Buffer | undefined;
    this.#eachSound('meta', (_, record) => {
      state = Buffer.from(record);
    });
    return { keys, state, lastGroup: this.#heads.lastNumber };
  }

  #sumExpiries(): LinkSum {
    const sum = new LinkSum();
    this.#eachSound('expiries', (key, record) => {
      const text = record.subarray(4);
      const item = text.subarray(text.lastIndexOf(0) + 1);
      if (key.length === 24) sum.add(item, numberAt(key, 2), numberAt(key, 3), numberAt(key, 1), 1);
      else sum.add(item, numberAt(key, 1), numberAt(key, 2), numberAt(key, 0), 0);
    });
    return sum;
  }

  /** Reads the suspicious groups again, to name what is wrong. */
  #explain(): void {
    const trees = new StoreTrees(this.#file, this.#meta, () => {});
    trees.tables();
    const readers = { items: this.#again(trees, 'items'), order: this.#again(trees, 'order'), versions: this.#again(trees, 'versions') };
    explainGroups({ suspects: this.#suspects, readers, heads: this.#heads, findings: this.#findings });
  }

  /** An entry without an item is harmless: the engine removes it when its time comes. An item without an entry would never expire. */
  #findMissingExpiries(): void {
    const trees = new StoreTrees(this.#file, this.#meta, () => {});
    trees.tables();
    const known = new Set<string>();
    const expiries = trees.read('expiries', this.#treeOf('expiries'));
    for (let entry = expiries.next(); entry !== undefined; entry = expiries.next()) known.add(entry.key.toString('hex'));
    const items = trees.read('items', this.#treeOf('items'));
    for (let entry = items.next(); entry !== undefined; entry = items.next()) {
      const { key, value, page } = entry;
      if (!isSound(key, value) || !FITS.items(key, value)) continue;
      const { expiry, created } = itemFieldsIn(value);
      if (expiry === undefined || known.has(expiryKey(expiry, numberAt(key, 0), created).toString('hex'))) continue;
      const problem = 'the item has a time to live and would never expire';
      this.#findings.add({ kind: 'missing', table: 'expiries', page, problem, ...this.#placeOf('items', key) });
    }
  }

  #again(trees: StoreTrees, table: GroupTable): GroupReader {
    return new GroupReader(table, trees.read(table, this.#treeOf(table)), () => {});
  }

  #reader(table: TableName): TreeReader {
    return this.#trees.read(table, this.#treeOf(table));
  }

  /** A store of an older version may lack the newer tables. */
  #treeOf(table: TableName): TreeRecord {
    return this.#tables.get(table) ?? NO_TREE;
  }

  #eachSound(table: TableName, take: (key: Buffer, record: Buffer) => void): void {
    this.#each(table, (key, record, sound) => {
      if (sound) take(key, record);
    });
  }

  #each(table: TableName, take: (key: Buffer, record: Buffer, sound: boolean) => void): void {
    const reader = this.#reader(table);
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      const sound = isSound(entry.key, entry.value);
      if (!sound) this.#addDamaged(table, entry.key, entry.page);
      else if (!FITS[table](entry.key, entry.value)) this.#addForeign(table, entry.page);
      else take(entry.key, entry.value, true);
      if (!sound) take(entry.key, entry.value, false);
    }
  }

  #addDamaged(table: string, key: Buffer, page: number): void {
    const problem = 'a record fails its checksum';
    if (table === 'items' && key.length > 6) this.#damagedGroups.add(numberAt(key, 0));
    this.#findings.add({ kind: 'record', table, page, problem, ...this.#placeOf(table, key) });
  }

  #addForeign(table: string, page: number): void {
    this.#findings.add({ kind: 'contradiction', table, page, problem: 'a record belongs to another table' });
  }

  /** Returns the names for which a record stands, as far as its key has them. */
  #placeOf(table: string, key: Buffer): { readonly stream?: string; readonly group?: string; readonly item?: string } {
    if (table === 'heads' || table === 'keys') return splitHeadKey(key);
    if (table !== 'items' || key.length <= 6) return {};
    return { ...this.#heads.nameOf(numberAt(key, 0)), item: key.toString('utf8', 6) };
  }
}

const NO_TREE: TreeRecord = { flags: 0, depth: 0, branchPages: 0, leafPages: 0, overflowPages: 0, entries: 0, root: undefined };
