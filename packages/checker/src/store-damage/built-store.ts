import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PageFile, StoreTrees } from '@rivulet/engine/parts';
import { createLmdbStore, type WritableStore } from '@rivulet/engine/stores';
import { Random } from '@rivulet/testkit/random';
import { CLOCK, silent } from './deps.js';

/** One group as its writers left it. */
export interface ExpectedGroup {
  /** Pages of the data file that have the record and the value, in the order of `items`. */
  readonly pages: readonly (readonly number[])[];
  readonly stream: string;
  readonly group: string;
  /** Values by their items, in the order of creation. */
  readonly items: readonly (readonly [item: string, data: string])[];
  readonly offset: number;
}

/** A closed store with everything that a test of damage needs. */
export interface BuiltStore {
  readonly data: Buffer;
  readonly marker: Buffer;
  /** The data file of earlier moments, for stale pages. */
  readonly earlier: readonly Buffer[];
  readonly groups: readonly ExpectedGroup[];
  /** Idempotency keys that must be known, with their groups. */
  readonly keys: readonly { readonly stream: string; readonly group: string; readonly key: string }[];
  readonly epoch: string;
  /** Offset at which a new group begins. */
  readonly removedOffset: number;
}

const STREAMS = ['chat', 'presence', 'board'];
const RETENTION_MS = 60_000;

/** Builds a store from a seed: several groups and rounds, deletes, swept and fresh tombstones, times to live, keys and big values. */
export async function buildStore(directory: string, seed: number): Promise<BuiltStore> {
  mkdirSync(directory, { recursive: true });
  const random = new Random(seed);
  const model = new Map<string, Map<string, string>>();
  const keys: { stream: string; group: string; key: string }[] = [];
  const earlier: Buffer[] = [];
  const time = { now: 1_700_000_000_000, elapsed: 0 };
  const clock = { now: () => time.now, monotonic: () => time.elapsed };
  const file = join(directory, 'data.mdb');
  for (let round = 0; round < 3; round++) {
    const store = createLmdbStore({ ...CLOCK, clock, path: directory, tombstoneRetentionMs: RETENTION_MS, logger: silent() });
    await store.start({ onCommit: () => {}, onBreak: () => {} });
    await writeRound({ store, random, model, keys, round });
    time.now += RETENTION_MS / 4;
    if (round === 1) {
      time.now += RETENTION_MS * 2;
      await (store as unknown as { sweepNow(): Promise<void> }).sweepNow();
    }
    await store.close();
    if (round < 2) earlier.push(readFileSync(file));
    else copyFileSync(file, `${file}.built`);
  }
  return await describeStore(directory, { model, keys, earlier, clock });
}

interface Round {
  readonly store: WritableStore;
  readonly random: Random;
  readonly model: Map<string, Map<string, string>>;
  readonly keys: { stream: string; group: string; key: string }[];
  readonly round: number;
}

async function writeRound({ store, random, model, keys, round }: Round): Promise<void> {
  const writes = random.between(120, 260);
  let pending: Promise<unknown>[] = [];
  for (let n = 0; n < writes; n++) {
    const stream = random.pick(STREAMS);
    const group = `room-${random.zipf(9)}`;
    const item = `item-${random.zipf(40)}`;
    const name = `${stream}\n${group}`;
    const items = model.get(name) ?? new Map<string, string>();
    model.set(name, items);
    if (random.chance(0.2)) {
      pending.push(store.apply({ kind: 'delete', stream, group, item }));
      items.delete(item);
    } else {
      const bytes = random.chance(0.06) ? random.between(3_000, 30_000) : random.between(1, 120);
      const data = JSON.stringify({ id: item, round, n, text: 'x'.repeat(bytes) });
      const key = random.chance(0.15) ? `key-${round}-${n}` : undefined;
      if (key !== undefined) keys.push({ stream, group, key });
      const once = key === undefined ? undefined : onceOf(key);
      // The time to live is longer than any test, so its items stay.
      const expiry = random.chance(0.1) ? ({ kind: 'ttl', ms: 2 ** 40 } as const) : undefined;
      pending.push(store.write({ kind: 'write', stream, group, changes: [{ kind: 'set', item, data, expiry }], batch: false, once }));
      items.set(item, data);
    }
    if (random.chance(0.1)) {
      await Promise.all(pending);
      pending = [];
    }
  }
  // A group that loses all of its items is swept in a later round. A new group then begins above its offset.
  const gone = { stream: 'board', group: `gone-${round}` };
  for (let n = 0; n < 5 + 3 * round; n++) pending.push(store.apply({ kind: 'set', ...gone, item: 'a', data: String(n) }));
  pending.push(store.apply({ kind: 'delete', ...gone, item: 'a' }));
  await Promise.all(pending);
}

/** Returns the idempotency key of a write. */
export function onceOf(key: string) {
  return { key, retentionMs: 2 ** 40, fingerprint: key, answer: () => key };
}

/** Reads the order and the positions, which the model does not know, from the sound store. */
async function describeStore(
  directory: string,
  { model, keys, earlier, clock }: { clock: typeof CLOCK.clock } & Pick<Round, 'model' | 'keys'> & Pick<BuiltStore, 'earlier'>,
): Promise<BuiltStore> {
  const data = readFileSync(join(directory, 'data.mdb.built'));
  const marker = readFileSync(join(directory, 'rivulet-store.json'));
  const store = createLmdbStore({ ...CLOCK, clock, path: directory, tombstoneRetentionMs: RETENTION_MS, logger: silent() });
  await store.start({ onCommit: () => {}, onBreak: () => {} });
  const groups: ExpectedGroup[] = [];
  const places = placesOf(join(directory, 'data.mdb.built'));
  for (const [name, expected] of model) {
    const [stream = '', group = ''] = name.split('\n');
    const snapshot = await store.snapshot({ stream, group });
    const items: [string, string][] = [];
    for await (const chunk of snapshot.chunks()) for (const { item, data: value } of chunk) items.push([item, value]);
    if (items.length !== expected.size || items.some(([item, value]) => expected.get(item) !== value))
      throw new Error(`${name} differs from what was written`);
    const pages = items.map(([item]) => places(stream, group, item));
    groups.push({ stream, group, items, pages, offset: snapshot.position.offset });
  }
  const { position } = await store.get({ stream: 'none', group: 'none' }, 'none');
  await store.close();
  return { data, marker, earlier, groups, keys, epoch: position.epoch, removedOffset: position.offset };
}

/** Returns a function that finds the pages of an item in a sound data file. */
function placesOf(path: string): (stream: string, group: string, item: string) => readonly number[] {
  const file = new PageFile(path);
  const refuse = (tree: string, page: number, problem: string) => {
    throw new Error(`a new store is damaged: page ${page} of ${tree}: ${problem}`);
  };
  const { newest } = file;
  if (newest === undefined) throw new Error('a new store has no sound meta page');
  const trees = new StoreTrees(file, newest, refuse);
  const tables = trees.tables();
  const numbers = new Map<string, string>();
  const pages = new Map<string, readonly number[]>();
  for (const table of ['heads', 'items']) {
    const tree = tables.get(table);
    if (tree === undefined) throw new Error(`a new store has no table ${table}`);
    const reader = trees.read(table, tree);
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      const { key, value, page, valuePages = { first: 0, count: 0 } } = entry;
      // The record of a head has its checksum, then the number of its group. The key of an item begins with that number.
      if (table === 'heads') numbers.set(key.toString(), value.toString('hex', 4, 10));
      else {
        const own = Array.from({ length: valuePages.count }, (_, index) => valuePages.first + index);
        pages.set(`${key.toString('hex', 0, 6)} ${key.toString('utf8', 6)}`, [page, ...own]);
      }
    }
  }
  file.close();
  return (stream, group, item) => {
    const found = pages.get(`${numbers.get(`${stream}\u0000${group}`)} ${item}`);
    if (found === undefined) throw new Error(`${stream}/${group} ${item} has no page`);
    return found;
  };
}
