import { LmdbEnvironment, type Table, type View } from '../env/environment.js';
import {
  decodeHead,
  decodeKey,
  itemFieldsIn,
  itemKey,
  NUMBER_BYTES,
  numberAt,
  numbersKey,
  splitHeadKey,
  textIn,
  versionFieldsIn,
} from '../tables/records.js';
import { decodeState, type StoreState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';

/** Records of one transaction, and bytes of their values. */
const AT_ONCE = { records: 2_000, bytes: 8_388_608 } as const;

/**
 * Tables of the scratch store.
 *
 * ```
 * items    key of an item         its newest record
 * changes  key of an item         offset of its last known change, and flags: the members of `LastChange`
 * places   key of an item         nothing; the order of a group names the item
 * heads    number of a group      offset, timestamp, reserved
 * names    number of a group      key of its head
 * keys     key in `keys`          its newest record
 * order    group number, created, 0 or 1, item id     nothing; the live items in their order (see `orderKey`)
 * groups   number of a group      live items, offset of the last change
 * ```
 */
const SCRATCH = ['items', 'changes', 'places', 'heads', 'names', 'keys', 'order', 'groups'] as const;
type Scratch = Readonly<Record<(typeof SCRATCH)[number], Table>>;

/** A sound record of a damaged store. */
export interface FoundRecord {
  readonly table: keyof Tables;
  readonly key: Buffer;
  readonly record: Buffer;
}

/**
 * The place of a record in the damaged store.
 *
 * - `tree`: in a tree of the store, or in its log.
 * - `outside`: outside the trees. It may be the newest record, because the trees may be of an earlier moment.
 * - `outside_newest`: outside the newest trees. A record in the trees is right, whatever this one says.
 */
export type Origin = 'tree' | 'outside' | 'outside_newest';

/** The newest known change of an item. */
export interface LastChange {
  readonly changed: number;
  readonly live: boolean;
  /** A version record in a tree says so. */
  readonly isConfirmed: boolean;
  /** A record in a tree says so. Otherwise the record lies outside the trees, and may be an older one. */
  readonly isCurrent: boolean;
}

const LIVE = 1;
const CONFIRMED = 2;
const CURRENT = 4;
const NOTHING = Buffer.alloc(0);

/**
 * Everything that was found of a store, each record in its newest state. The records are in a scratch store on the disk, so that memory
 * does not grow with them.
 */
export class FoundRecords {
  readonly #environment: LmdbEnvironment;
  readonly tables: Scratch;
  state: StoreState | undefined;

  private constructor(environment: LmdbEnvironment) {
    this.#environment = environment;
    this.tables = Object.fromEntries(SCRATCH.map((name) => [name, environment.table(name)])) as unknown as Scratch;
  }

  /** Makes a scratch store in an empty directory. Nothing of it is synced. */
  static async open(directory: string): Promise<FoundRecords> {
    return new FoundRecords(await LmdbEnvironment.open({ path: directory, relaxed: false, bulk: true, tables: SCRATCH }));
  }

  /** Adds records of one origin. Records of the trees come first. */
  async addAll(records: Iterator<FoundRecord>, origin: Origin): Promise<void> {
    await this.inTransactions(records, ({ table, key, record }) => {
      this.#add(table, key, record, origin);
      return record.length;
    });
  }

  /** Calls `take` for each value inside transactions of the scratch store. */
  inTransactions<T>(values: Iterator<T>, take: (value: T) => number): Promise<void> {
    return inTransactions(this.#environment, values, take);
  }

  readView(): View {
    return this.#environment.readView();
  }

  close(): Promise<void> {
    return this.#environment.close(undefined);
  }

  #add(table: keyof Tables, key: Buffer, record: Buffer, origin: Origin): void {
    const isCurrent = origin === 'tree';
    switch (table) {
      case 'items':
        if (origin === 'outside_newest' && this.#isInTrees(key)) return;
        return this.#addItem(key, record, isCurrent);
      case 'heads':
        return this.#addHead(key, record);
      case 'versions': {
        const { live, item } = versionFieldsIn(record);
        const name = Buffer.concat([key.subarray(0, NUMBER_BYTES), item]);
        if (origin === 'outside_newest' && this.#isInTrees(name)) return;
        return this.#addChange(name, { changed: numberAt(key, 1), live, isConfirmed: isCurrent, isCurrent });
      }
      case 'keys': {
        const known = this.tables.keys.get(key);
        if (known === undefined || decodeKey(key, known).until < decodeKey(key, record).until) this.tables.keys.put(key, record);
        return;
      }
      case 'tombstones':
        return this.#addName(numberAt(key, 1), textIn(record));
      case 'expiries': {
        const text = textIn(record);
        return this.#addName(numberAt(key, key.length / NUMBER_BYTES - 2), text.subarray(0, text.lastIndexOf(0)));
      }
      case 'meta': {
        const state = decodeState(key, record);
        if (state !== undefined && state.nextGroup >= (this.state?.nextGroup ?? 0)) this.state = state;
        return;
      }
      case 'order':
        this.tables.places.put(Buffer.concat([key.subarray(0, NUMBER_BYTES), textIn(record)]), NOTHING);
        return;
      case 'key_ages':
        // They follow from the records of keys.
        return;
      default:
        return table satisfies never;
    }
  }

  /** Returns whether the trees have the newest record of an item. */
  #isInTrees(key: Buffer): boolean {
    const record = this.tables.items.get(key);
    const value = record && this.tables.changes.get(key);
    if (record === undefined || value === undefined) return false;
    const { changed, isCurrent } = changeIn(value);
    return isCurrent && changed === itemFieldsIn(record).changed;
  }

  #addItem(key: Buffer, record: Buffer, isCurrent: boolean): void {
    const { changed, live } = itemFieldsIn(record);
    const known = this.tables.items.get(key);
    if (known === undefined || itemFieldsIn(known).changed < changed) this.tables.items.put(key, record);
    this.#addChange(key, { changed, live, isConfirmed: false, isCurrent });
  }

  #addChange(key: Buffer, change: LastChange): void {
    const value = this.tables.changes.get(key);
    const known = value && changeIn(value);
    if (known !== undefined && known.changed > change.changed) return;
    const isSame = known?.changed === change.changed;
    const isConfirmed = change.isConfirmed || (isSame && known.isConfirmed);
    const isCurrent = change.isCurrent || (isSame && known.isCurrent);
    const flags = (change.live ? LIVE : 0) | (isConfirmed ? CONFIRMED : 0) | (isCurrent ? CURRENT : 0);
    this.tables.changes.put(key, Buffer.concat([numbersKey(change.changed), Buffer.of(flags)]));
  }

  #addHead(key: Buffer, record: Buffer): void {
    const head = decodeHead(key, record);
    this.#addName(head.number, key);
    const number = numbersKey(head.number);
    const known = this.tables.heads.get(number);
    if (known === undefined || numberAt(known, 0) < head.offset)
      this.tables.heads.put(number, numbersKey(head.offset, head.timestamp, head.reserved));
  }

  #addName(group: number, key: Buffer): void {
    const number = numbersKey(group);
    if (this.tables.names.get(number) === undefined) this.tables.names.put(number, key);
  }
}

/** Calls `take` for each value, inside as many transactions as memory demands. `take` returns the bytes of its values. */
export async function inTransactions<T>(environment: LmdbEnvironment, values: Iterator<T>, take: (value: T) => number): Promise<void> {
  for (let isDone = false; !isDone; ) {
    await environment.transaction(() => {
      for (let [count, bytes] = [0, 0]; count < AT_ONCE.records && bytes < AT_ONCE.bytes; count++) {
        const next = values.next();
        if (next.done === true) {
          isDone = true;
          return;
        }
        bytes += take(next.value);
      }
    });
  }
}

/** Yields all entries of a table as of a view. */
export function* entriesOf(table: Table, view: View): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
  for (let start = Buffer.alloc(0); ; ) {
    const entries: { readonly key: Buffer; readonly value: Buffer }[] = [];
    let bytes = 0;
    for (const { key, value } of table.getRange({ start, limit: AT_ONCE.records, transaction: view })) {
      entries.push({ key: Buffer.from(key), value: Buffer.from(value) });
      bytes += value.length;
      if (bytes >= AT_ONCE.bytes) break;
    }
    const last = entries.at(-1);
    if (last === undefined) return;
    yield* entries;
    start = Buffer.concat([last.key, Buffer.of(0)]);
  }
}

export function changeIn(value: Buffer): LastChange {
  const flags = value[NUMBER_BYTES] ?? 0;
  return {
    changed: numberAt(value, 0),
    live: (flags & LIVE) !== 0,
    isConfirmed: (flags & CONFIRMED) !== 0,
    isCurrent: (flags & CURRENT) !== 0,
  };
}

/** Returns the number of the group and the id of the item in a key. */
export function splitItemKey(key: Buffer): { readonly group: number; readonly item: string } {
  return { group: numberAt(key, 0), item: key.toString('utf8', NUMBER_BYTES) };
}

/**
 * Returns the key of a live item in the table `order`. Two items of a store never begin at the same offset. So if they seem to, the one
 * outside the trees is of another store or moment, and the one in the trees stands first.
 */
export function orderKey(group: number, created: number, isCurrent: boolean, item: string): Buffer {
  return Buffer.concat([numbersKey(group, created), Buffer.of(isCurrent ? 0 : 1), Buffer.from(item)]);
}

/** Takes a key of the table `order` apart. `key` is the key of the item. */
export function splitOrderKey(key: Buffer): { readonly group: number; readonly created: number; readonly key: Buffer } {
  const group = numberAt(key, 0);
  return { group, created: numberAt(key, 1), key: itemKey(group, key.toString('utf8', 2 * NUMBER_BYTES + 1)) };
}

/** Returns the names of a group. Without a record that names it, the group gets a new name. */
export function groupNames(
  { tables }: FoundRecords,
  group: number,
): { readonly stream: string; readonly group: string; readonly isNamed: boolean } {
  const key = tables.names.get(numbersKey(group));
  return key === undefined ? { stream: 'salvaged', group: `group-${group}`, isNamed: false } : { ...splitHeadKey(key), isNamed: true };
}
