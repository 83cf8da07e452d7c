import { randomUUID } from 'node:crypto';
import { LmdbEnvironment, type Table } from '../env/environment.js';
import {
  decodeKey,
  encodeHead,
  encodeItem,
  encodeKey,
  encodeText,
  encodeVersion,
  expiryKey,
  type Head,
  headKey,
  type ItemRecord,
  itemKey,
  numbersKey,
} from '../tables/records.js';
import { writeState } from '../tables/store-meta.js';
import { TABLES, type Tables } from '../tables/tables.js';
import { type FoundRecords, groupNames, splitName } from './found-records.js';

/** Records that one transaction writes. */
const AT_ONCE = 5_000;

export interface Rebuilt {
  readonly groups: number;
  readonly items: number;
  readonly keys: number;
}

/**
 * Writes the live items and the idempotency keys that were found into a new store, with their order, versions and times to live. The new
 * store has a new epoch, so every client gets a fresh sync, and no tombstone is needed.
 */
export async function rebuildStore(directory: string, found: FoundRecords): Promise<Rebuilt> {
  const environment = await LmdbEnvironment.open({ path: directory, relaxed: true, tables: TABLES });
  const tables = Object.fromEntries(TABLES.map((name) => [name, environment.table(name)])) as unknown as Tables;
  const writes = new Writes(environment);
  try {
    const groups = liveItems(found);
    let items = 0;
    let lastOffset = 0;
    let lastNumber = 0;
    for (const [number, members] of groups) {
      const head = await writeGroup(writes, tables, found, number, members);
      items += head.items;
      lastOffset = Math.max(lastOffset, head.offset);
      lastNumber = Math.max(lastNumber, number);
    }
    const keys = await writeKeys(writes, tables, found);
    for (const head of found.heads.values()) {
      lastOffset = Math.max(lastOffset, head.offset, head.reserved);
      lastNumber = Math.max(lastNumber, head.number);
    }
    await writes.flush();
    const { state } = found;
    const known = { run: state?.run ?? lastRun(found), clean: true, runSaved: false, storeId: environment.storeId, epoch: randomUUID() };
    const removed = { removedOffset: Math.max(lastOffset, state?.removedOffset ?? 0), removedTimestamp: state?.removedTimestamp ?? 0 };
    await environment.transaction(() =>
      writeState(tables.meta, {
        ...known,
        ...removed,
        nextGroup: Math.max(lastNumber + 1, state?.nextGroup ?? 1),
        keys: keys.count,
        keyBytes: keys.bytes,
      }),
    );
    return { groups: groups.size, items, keys: keys.count };
  } finally {
    await environment.close(undefined);
  }
}

/** Returns the live items of each group. An item whose newest record is lost is not among them: an older value would be wrong. */
function liveItems(found: FoundRecords): Map<number, [item: string, record: ItemRecord][]> {
  const groups = new Map<number, [string, ItemRecord][]>();
  for (const [name, record] of found.items) {
    if (!record.live || !found.isNewest(name, record)) continue;
    const { group, item } = splitName(name);
    const members = groups.get(group) ?? [];
    members.push([item, record]);
    groups.set(group, members);
  }
  return groups;
}

async function writeGroup(
  writes: Writes,
  tables: Tables,
  found: FoundRecords,
  number: number,
  members: [item: string, record: ItemRecord][],
): Promise<Head> {
  const { stream, group } = groupNames(found, number);
  const old = found.heads.get(number);
  const last = members.reduce((most, [, { changed }]) => Math.max(most, changed), 0);
  const head: Head = {
    number,
    offset: Math.max(last, old?.offset ?? 0, old?.reserved ?? 0),
    timestamp: old?.timestamp ?? Date.now(),
    reserved: 0,
    floor: 0,
    items: members.length,
  };
  const places = new Set<number>();
  const changes = new Set<number>();
  /** Old records may have an offset twice, if they are of different moments. */
  const unique = (offset: number, taken: Set<number>) => {
    const own = taken.has(offset) ? ++head.offset : offset;
    taken.add(own);
    return own;
  };
  members.sort(([, a], [, b]) => a.created - b.created);
  for (const [item, record] of members) {
    const created = unique(record.created, places);
    const changed = unique(Math.max(record.changed, created), changes);
    const key = itemKey(number, item);
    await writes.put(tables.items, key, encodeItem(key, { ...record, created, changed }));
    const place = numbersKey(number, created);
    await writes.put(tables.order, place, encodeText(place, item));
    const version = numbersKey(number, changed);
    await writes.put(tables.versions, version, encodeVersion(version, { live: true, created, item, valueId: undefined }));
    if (record.expiry === undefined) continue;
    const expiry = expiryKey(record.expiry, number, created);
    await writes.put(tables.expiries, expiry, encodeText(expiry, `${stream}\u0000${group}\u0000${item}`));
  }
  head.reserved = head.offset;
  head.floor = head.offset;
  const key = headKey(stream, group);
  await writes.put(tables.heads, key, encodeHead(key, head));
  return head;
}

async function writeKeys(
  writes: Writes,
  tables: Tables,
  { keys }: FoundRecords,
): Promise<{ readonly count: number; readonly bytes: number }> {
  let bytes = 0;
  for (const [name, old] of keys) {
    const key = Buffer.from(name);
    const fields = decodeKey(key, old);
    const record = encodeKey(key, fields);
    bytes += record.length;
    await writes.put(tables.keys, key, record);
    const age = Buffer.concat([numbersKey(fields.until), key]);
    await writes.put(tables.key_ages, age, encodeText(age, ''));
  }
  return { count: keys.size, bytes };
}

/** Returns the highest run that leased an item, so that the next start releases the leases. */
function lastRun({ items }: FoundRecords): number {
  let run = 0;
  for (const { expiry } of items.values()) if (expiry?.kind === 'held') run = Math.max(run, expiry.run);
  return run;
}

/** Collects records, so that a transaction writes many of them. */
class Writes {
  readonly #environment: LmdbEnvironment;
  #waiting: (() => void)[] = [];

  constructor(environment: LmdbEnvironment) {
    this.#environment = environment;
  }

  async put(table: Table, key: Buffer, record: Buffer): Promise<void> {
    this.#waiting.push(() => table.put(key, record));
    if (this.#waiting.length >= AT_ONCE) await this.flush();
  }

  async flush(): Promise<void> {
    const writes = this.#waiting;
    this.#waiting = [];
    if (writes.length === 0) return;
    await this.#environment.transaction(() => {
      for (const write of writes) write();
    });
  }
}
