import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PageFile, StoreTrees } from '@rivulet/engine/parts';
import { createLmdbStore, type LmdbStoreOptions, type WritableStore } from '@rivulet/engine/stores';

/** One kind of record whose cost in the data file is measured. */
export interface RoomCase {
  /** The row of docs/store.md. */
  readonly name: string;
  readonly boundsOf?: LmdbStoreOptions['boundsOf'];
  /** Writes `count` of the records to an empty store. */
  readonly write: (store: WritableStore, count: number) => Promise<void>;
}

export interface RoomCost {
  /** Bytes of the pages of all tables, for one record. */
  readonly bytes: number;
  /** The same for each table. Small tables are absent. */
  readonly tables: Readonly<Record<string, number>>;
}

const GROUP = { stream: 'chat', group: 'room-1' };
const PAGE_BYTES = 4_096;
/** Writes that are called at once, so that they share one transaction. */
const AT_ONCE = 500;
/**
 * A transaction ends after some milliseconds, and then carries fewer writes when the machine is busy. Pages are filled less by that. With
 * this clock no time passes, so each transaction has `AT_ONCE` writes, and a case costs the same bytes each time.
 */
const STANDING_CLOCK = { now: () => 1_764_489_600_000, monotonic: () => 0 };

const counted = (index: number) => `m${String(index).padStart(7, '0')}`;
const random = (index: number) => createHash('sha256').update(String(index)).digest('hex').slice(0, 32);
const value = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2));

/** The rows of docs/store.md. */
export const ROOM_CASES: readonly RoomCase[] = [
  { name: 'a deleted item, id of 8 bytes, value of 40 bytes', write: (store, count) => createAndDelete(store, count, counted, 40) },
  { name: 'a deleted item, id of 8 bytes, value of 300 bytes', write: (store, count) => createAndDelete(store, count, counted, 300) },
  {
    name: 'a deleted item, random id of 32 bytes, value of 1000 bytes',
    write: (store, count) => createAndDelete(store, count, random, 1_000),
  },
  {
    name: 'an item that `max_items: 100` deleted, id of 8 bytes, value of 300 bytes',
    boundsOf: () => ({ maxItems: 100, onFull: 'delete_oldest' }),
    write: (store, count) => inBatches(count, (index) => store.apply({ kind: 'set', ...GROUP, item: counted(index), data: value(300) })),
  },
  { name: 'an idempotency key, random key of 32 bytes, answer of 40 bytes', write: rememberKeys },
];

/** Measures one case in a new store, which is removed afterwards. */
export async function measureRoom({ write, boundsOf }: RoomCase, count: number): Promise<RoomCost> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-room-'));
  try {
    const store = createLmdbStore({
      path: directory,
      durability: 'relaxed',
      saveIntervalMs: 3_600_000,
      tombstoneRetentionMs: 604_800_000,
      space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
      preflight: 'inline',
      ...(boundsOf && { boundsOf }),
      clock: STANDING_CLOCK,
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    });
    await store.start({ onCommit: () => {}, onBreak: () => {} });
    await write(store, count);
    await store.close();
    return costIn(join(directory, 'data.mdb'), count);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function createAndDelete(store: WritableStore, count: number, id: (index: number) => string, bytes: number): Promise<void> {
  await inBatches(count, (index) => store.apply({ kind: 'set', ...GROUP, item: id(index), data: value(bytes) }));
  await inBatches(count, (index) => store.apply({ kind: 'delete', ...GROUP, item: id(index) }));
}

function rememberKeys(store: WritableStore, count: number): Promise<void> {
  return inBatches(count, (index) => {
    const once = { key: random(index), retentionMs: 600_000, fingerprint: 'f'.repeat(43), answer: () => value(40) };
    return store.write({ kind: 'write', ...GROUP, changes: [{ kind: 'set', item: 'm', data: '1' }], batch: false, once });
  });
}

async function inBatches(count: number, write: (index: number) => Promise<unknown>): Promise<void> {
  for (let first = 0; first < count; first += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => write(first + index)));
  }
}

function costIn(path: string, count: number): RoomCost {
  const file = new PageFile(path);
  try {
    const { newest } = file;
    if (newest === undefined) throw new Error('the store has no sound meta page');
    const trees = new StoreTrees(file, newest, (tree, page, problem) => {
      throw new Error(`page ${page} of ${tree}: ${problem}`);
    });
    const costs = [...trees.tables()].map(([name, { branchPages, leafPages, overflowPages }]) => {
      return [name, ((branchPages + leafPages + overflowPages) * PAGE_BYTES) / count] as const;
    });
    return {
      bytes: costs.reduce((sum, [, bytes]) => sum + bytes, 0),
      tables: Object.fromEntries(costs.filter(([, bytes]) => bytes >= 2)),
    };
  } finally {
    file.close();
  }
}
