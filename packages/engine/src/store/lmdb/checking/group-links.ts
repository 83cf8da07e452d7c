import type { TreeEntry, TreeReader } from '../pages/tree-reader.js';
import { dataBytesIn, isSound, itemFieldsIn, NUMBER_BYTES, numberAt, textIn, versionFieldsIn } from '../tables/records.js';
import { LinkSum } from './link-sum.js';
import { FITS } from './record-shapes.js';

/** The links that the three tables of one group describe. */
export class GroupLinks {
  /** Live items with the offsets at which they were created. */
  readonly createdInItems = new LinkSum();
  readonly createdInOrder = new LinkSum();
  /** Items, also tombstones, with the offsets of their last changes. */
  readonly changedInItems = new LinkSum();
  readonly changedInVersions = new LinkSum();
  /** Bytes of the ids and values of live items. */
  bytes = 0;
  /** The highest offset of a change. */
  lastChange = 0;

  get agree(): boolean {
    return this.createdInItems.equals(this.createdInOrder) && this.changedInItems.equals(this.changedInVersions);
  }
}

export type GroupTable = 'items' | 'order' | 'versions';

/** Receives each record that fails its checksum, or (`isForeign`) that belongs to another table. */
export type OnBadRecord = (table: string, key: Buffer, page: number, isForeign: boolean) => void;

/** Receives the expiry of each item that has one. */
export type OnExpiry = (bytes: Buffer, ...numbers: readonly number[]) => void;

/** Reads the records of one table group by group, in the order of group numbers. */
export class GroupReader {
  readonly #table: GroupTable;
  readonly #reader: TreeReader;
  readonly #onBad: OnBadRecord;
  #next: TreeEntry | undefined;

  constructor(table: GroupTable, reader: TreeReader, onBad: OnBadRecord) {
    this.#table = table;
    this.#reader = reader;
    this.#onBad = onBad;
    this.#advance();
  }

  /** The number of the next group; infinite at the end. */
  get group(): number {
    return this.#next === undefined ? Number.POSITIVE_INFINITY : numberAt(this.#next.key, 0);
  }

  /** Calls `take` for each sound record of the next group. */
  readGroup(take: (key: Buffer, record: Buffer) => void): void {
    const { group } = this;
    while (this.group === group && this.#next !== undefined) {
      take(this.#next.key, this.#next.value);
      this.#advance();
    }
  }

  #advance(): void {
    for (;;) {
      const entry = this.#reader.next();
      const sound = entry !== undefined && isSound(entry.key, entry.value);
      if (entry === undefined || (sound && FITS[this.#table](entry.key, entry.value))) {
        this.#next = entry;
        return;
      }
      this.#onBad(this.#table, entry.key, entry.page, sound);
    }
  }
}

/** Adds a sound record to the links of its group. `onExpiry` gets items with a time to live. */
export const ADD_LINK: Readonly<Record<GroupTable, (links: GroupLinks, key: Buffer, record: Buffer, onExpiry?: OnExpiry) => void>> = {
  items: (links, key, record, onExpiry) => {
    const { live, created, changed, expiry } = itemFieldsIn(record);
    const item = key.subarray(NUMBER_BYTES);
    if (live) {
      links.createdInItems.add(item, created);
      links.bytes += item.length + dataBytesIn(record);
    }
    links.changedInItems.add(item, created, changed, live ? 1 : 0);
    if (expiry?.kind === 'ttl') onExpiry?.(item, numberAt(key, 0), created, expiry.at, 0);
    if (expiry?.kind === 'held') onExpiry?.(item, numberAt(key, 0), created, expiry.run, 1);
  },
  order: (links, key, record) => links.createdInOrder.add(textIn(record), numberAt(key, 1)),
  versions: (links, key, record) => {
    const { live, created, item } = versionFieldsIn(record);
    const changed = numberAt(key, 1);
    links.changedInVersions.add(item, created, changed, live ? 1 : 0);
    links.lastChange = Math.max(links.lastChange, changed);
  },
};
