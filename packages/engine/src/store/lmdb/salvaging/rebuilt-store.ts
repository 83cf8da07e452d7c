import { randomUUID } from 'node:crypto';
import { LmdbEnvironment, type View } from '../env/environment.js';
import {
  decodeItem,
  decodeKey,
  encodeHead,
  encodeItem,
  encodeKey,
  encodeText,
  encodeVersion,
  expiryKey,
  headKey,
  itemFieldsIn,
  itemKey,
  numberAt,
  numbersKey,
} from '../tables/records.js';
import { writeState } from '../tables/store-meta.js';
import { TABLES, type Tables } from '../tables/tables.js';
import {
  changeIn,
  entriesOf,
  type FoundRecords,
  groupNames,
  inTransactions,
  orderKey,
  splitItemKey,
  splitOrderKey,
} from './found-records.js';

export interface Rebuilt {
  readonly groups: number;
  readonly items: number;
  readonly keys: number;
  /** Items that no tree has any more, so their value may be an older one. */
  readonly unconfirmed: number;
  /** Records of items that contradict the versions of their group. They belong to another store or to an earlier moment. */
  readonly foreign: number;
  /** Groups whose name no record has. They are in the stream `salvaged`. */
  readonly unnamedGroups: number;
}

/**
 * Writes the live items and the idempotency keys that were found into a new store, with their order, versions and times to live. The new
 * store has a new epoch, so every client gets a fresh sync, and no tombstone is needed. `hasAllVersions`: the versions of the damaged store
 * are whole, so an item without one is no item of this store.
 */
export async function rebuildStore(directory: string, found: FoundRecords, hasAllVersions: boolean): Promise<Rebuilt> {
  const sorted = await sortItems(found, hasAllVersions);
  const environment = await LmdbEnvironment.open({ path: directory, relaxed: false, bulk: true, tables: TABLES });
  const view = found.readView();
  try {
    const store = new NewStore(environment, found, view);
    await store.writeGroups();
    await store.writeKeys();
    await store.writeState(sorted.lastRun);
    await environment.checkpoint();
    const { groups, items, unnamedGroups, keys } = store;
    return { groups, items, unnamedGroups, keys: keys.count, unconfirmed: sorted.unconfirmed, foreign: sorted.foreign };
  } finally {
    view.done();
    await environment.close(undefined);
  }
}

interface Sorted {
  unconfirmed: number;
  foreign: number;
  /** The highest run that leased an item, so that the next start releases the leases. */
  lastRun: number;
}

/**
 * Puts the live items of each group in their order. An item whose newest record is lost is not among them: an older value would be wrong.
 */
async function sortItems(found: FoundRecords, hasAllVersions: boolean): Promise<Sorted> {
  const { items, changes, order, groups } = found.tables;
  const sorted = { unconfirmed: 0, foreign: 0, lastRun: 0 };
  const view = found.readView();
  const current = { group: 0, items: 0, last: 0 };
  const endGroup = () => {
    if (current.items > 0) groups.put(numbersKey(current.group), numbersKey(current.items, current.last));
  };
  try {
    await found.inTransactions(entriesOf(items, view), ({ key, value }) => {
      const { live, changed, created, expiry } = itemFieldsIn(value);
      const { group, item } = splitItemKey(key);
      if (group !== current.group) {
        endGroup();
        Object.assign(current, { group, items: 0, last: 0 });
      }
      const change = changes.get(key);
      const last = change && changeIn(change);
      if (!live || last === undefined || last.changed > changed) return 0;
      if (!last.isConfirmed && hasAllVersions) {
        sorted.foreign++;
        return 0;
      }
      if (!last.isCurrent) sorted.unconfirmed++;
      if (expiry?.kind === 'held') sorted.lastRun = Math.max(sorted.lastRun, expiry.run);
      current.items++;
      current.last = Math.max(current.last, changed);
      order.put(orderKey(group, created, last.isCurrent, item), Buffer.alloc(0));
      return 0;
    });
    await found.inTransactions([undefined].values(), () => {
      endGroup();
      return 0;
    });
  } finally {
    view.done();
  }
  return sorted;
}

/** A group that is being written. */
interface Group {
  readonly number: number;
  readonly stream: string;
  readonly group: string;
  readonly items: number;
  readonly timestamp: number;
  offset: number;
  lastCreated: number;
}

class NewStore {
  readonly #environment: LmdbEnvironment;
  readonly #tables: Tables;
  readonly #found: FoundRecords;
  readonly #view: View;
  #group: Group | undefined;
  #lastOffset = 0;
  #lastNumber = 0;
  groups = 0;
  items = 0;
  unnamedGroups = 0;
  readonly keys = { count: 0, bytes: 0 };

  constructor(environment: LmdbEnvironment, found: FoundRecords, view: View) {
    this.#environment = environment;
    this.#tables = Object.fromEntries(TABLES.map((name) => [name, environment.table(name)])) as unknown as Tables;
    this.#found = found;
    this.#view = view;
  }

  async writeGroups(): Promise<void> {
    const { items, order } = this.#found.tables;
    await inTransactions(this.#environment, entriesOf(order, this.#view), ({ key: place }) => {
      const { group, created, key } = splitOrderKey(place);
      const record = items.get(key, { transaction: this.#view });
      if (record === undefined) throw new Error('an item has left the scratch store');
      if (this.#group?.number !== group) this.#beginGroup(group);
      this.#writeItem(key, record, created);
      return record.length;
    });
    await this.#environment.transaction(() => this.#endGroup());
  }

  async writeKeys(): Promise<void> {
    await inTransactions(this.#environment, entriesOf(this.#found.tables.keys, this.#view), ({ key, value }) => {
      const fields = decodeKey(key, value);
      const record = encodeKey(key, fields);
      this.#tables.keys.put(key, record);
      const age = Buffer.concat([numbersKey(fields.until), key]);
      this.#tables.key_ages.put(age, encodeText(age, ''));
      this.keys.count++;
      this.keys.bytes += record.length;
      return record.length;
    });
  }

  async writeState(lastRun: number): Promise<void> {
    const { state } = this.#found;
    for (const { key, value } of entriesOf(this.#found.tables.heads, this.#view)) {
      this.#lastOffset = Math.max(this.#lastOffset, numberAt(value, 0), numberAt(value, 2));
      this.#lastNumber = Math.max(this.#lastNumber, numberAt(key, 0));
    }
    const known = { run: state?.run ?? lastRun, clean: true, runSaved: false, storeId: this.#environment.storeId, epoch: randomUUID() };
    const removed = {
      removedOffset: Math.max(this.#lastOffset, state?.removedOffset ?? 0),
      removedTimestamp: state?.removedTimestamp ?? 0,
    };
    const nextGroup = Math.max(this.#lastNumber + 1, state?.nextGroup ?? 1);
    const { count, bytes } = this.keys;
    await this.#environment.transaction(() =>
      writeState(this.#tables.meta, { ...known, ...removed, nextGroup, keys: count, keyBytes: bytes }),
    );
  }

  #beginGroup(number: number): void {
    this.#endGroup();
    const { heads, groups } = this.#found.tables;
    const names = groupNames(this.#found, number);
    const old = heads.get(numbersKey(number), { transaction: this.#view });
    const known = groups.get(numbersKey(number), { transaction: this.#view });
    if (known === undefined) throw new Error('a group has left the scratch store');
    const offset = Math.max(numberAt(known, 1), old === undefined ? 0 : Math.max(numberAt(old, 0), numberAt(old, 2)));
    const timestamp = old === undefined ? Date.now() : numberAt(old, 1);
    this.#group = { number, stream: names.stream, group: names.group, items: numberAt(known, 0), timestamp, offset, lastCreated: 0 };
    this.groups++;
    if (!names.isNamed) this.unnamedGroups++;
  }

  /** Old records may have an offset twice, if they are of different moments. The second one gets an offset of its own. */
  #writeItem(oldKey: Buffer, record: Buffer, placed: number): void {
    const group = this.#group as Group;
    const { item } = splitItemKey(oldKey);
    const { items, order, versions, expiries } = this.#tables;
    const { stream, number } = group;
    const created = placed > group.lastCreated ? placed : ++group.offset;
    if (placed > group.lastCreated) group.lastCreated = placed;
    const old = decodeItem(oldKey, record);
    const isTaken = (offset: number) => versions.get(numbersKey(number, offset)) !== undefined;
    const wanted = Math.max(old.changed, created);
    const changed = isTaken(wanted) ? ++group.offset : wanted;
    const key = itemKey(number, item);
    items.put(key, encodeItem(key, { ...old, created, changed }));
    const place = numbersKey(number, created);
    order.put(place, encodeText(place, item));
    const version = numbersKey(number, changed);
    versions.put(version, encodeVersion(version, { live: true, created, item, valueId: undefined }));
    this.items++;
    if (old.expiry === undefined) return;
    const expiry = expiryKey(old.expiry, number, created);
    expiries.put(expiry, encodeText(expiry, `${stream}\u0000${group.group}\u0000${item}`));
  }

  #endGroup(): void {
    if (this.#group === undefined) return;
    const { stream, group, number, offset, timestamp, items } = this.#group;
    const key = headKey(stream, group);
    this.#tables.heads.put(key, encodeHead(key, { number, offset, timestamp, reserved: offset, floor: offset, items }));
    this.#lastOffset = Math.max(this.#lastOffset, offset);
    this.#lastNumber = Math.max(this.#lastNumber, number);
    this.#group = undefined;
  }
}
