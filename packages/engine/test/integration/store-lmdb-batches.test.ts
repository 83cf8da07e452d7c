import { GROUP, OpenStore } from '@rivulet/conformance/store-contract/factory';
import { Random } from '@rivulet/testkit/random';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LmdbEnvironment, type Table } from '../../src/store/lmdb/env/environment.js';
import { createMemoryStore } from '../../src/store/memory/memory-store.js';
import type { Change, GroupRef, StreamStore, WithoutGroup, WriteChange } from '../../src/store/store.js';
import { aged, count, faulty } from '../aged-store.js';

const GROUPS = ['a', 'b', 'c'].map((group) => ({ stream: 's', group }));
const ITEMS = ['one', 'two', 'three', 'four', 'five', 'six'];

function randomChange(random: Random): WriteChange {
  const item = random.pick(ITEMS);
  const expiry = random.chance(0.2) ? { expiry: { kind: 'ttl', ms: random.between(60_000, 90_000) } as const } : {};
  switch (random.below(8)) {
    case 0:
    case 1:
      return { kind: 'delete', item };
    case 2:
      return { kind: 'update', item, compute: (old) => `[${(old ?? '').length}]`, ...expiry };
    case 3:
      // This update leaves the value as it is, and may renew its time to live.
      return { kind: 'update', item, compute: () => undefined, ...expiry };
    case 4:
      return { kind: 'set', item, data: JSON.stringify('x'.repeat(random.pick([4_094, 4_095, 9_000]))), ...expiry };
    default:
      return { kind: 'set', item, data: JSON.stringify({ id: item, n: random.below(1_000) }), ...expiry };
  }
}

/** Makes the same random changes in the same order in a store and does not wait between them. Returns their results. */
function changeMuch(store: StreamStore, seed: number): Promise<readonly unknown[]> {
  const random = new Random(seed);
  const results = Array.from({ length: 700 }, () => {
    const ref = random.pick(GROUPS);
    if (random.chance(0.3) && store.write !== undefined) {
      const changes = Array.from({ length: random.between(1, 5) }, () => randomChange(random));
      return store.write({ kind: 'write', ...ref, changes, batch: changes.length > 1 });
    }
    return store.apply({ ...ref, ...(randomChange(random) as WithoutGroup<Change>) } as Change);
  });
  return Promise.all(results);
}

async function all<T>(read: { chunks(): AsyncIterable<readonly T[]>; close(): void }): Promise<readonly T[]> {
  const entries: T[] = [];
  for await (const chunk of read.chunks()) entries.push(...chunk);
  read.close();
  return entries;
}

/** Returns what a reader of each group sees: all items, and the changes since half of the offsets. */
async function contentOf(store: StreamStore): Promise<unknown> {
  return Promise.all(
    GROUPS.map(async (ref: GroupRef) => {
      const snapshot = await store.snapshot(ref);
      const { position } = snapshot;
      const changes = await store.changes(ref, { ...position, offset: Math.floor(position.offset / 2) });
      return {
        offset: position.offset,
        items: await all(snapshot),
        changes: changes.kind === 'changes' ? await all(changes) : changes,
      };
    }),
  );
}

/** Each store has an epoch of its own. */
function withoutEpoch(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, each: unknown) => (key === 'epoch' ? '' : (each ?? null))));
}

test('writes that share a transaction have the results and the content of writes one by one', async () => {
  const { path, time, start } = await aged();
  const memory = await OpenStore.start(
    createMemoryStore({ clock: { now: () => time.now, monotonic: () => time.elapsed }, tombstoneRetentionMs: 1_000 }),
  );
  onTestFinished(() => memory.store.close());
  let disk = await start();
  for (let round = 0; round < 4; round++) {
    const expected = await changeMuch(memory.store, round);
    expect(withoutEpoch(await changeMuch(disk.store, round))).toEqual(withoutEpoch(expected));
    const content = withoutEpoch(await contentOf(memory.store));
    expect(withoutEpoch(await contentOf(disk.store))).toEqual(content);
    await disk.store.close();
    // Each item and each tombstone has one place in the order of changes.
    expect(await count(path, 'versions')).toBe(await count(path, 'items'));
    disk = await start();
    expect(withoutEpoch(await contentOf(disk.store))).toEqual(content);
  }
});

test('a transaction writes the last of many values of an item, and none of the others', async () => {
  const puts: string[] = [];
  const real = Reflect.get(LmdbEnvironment.prototype, 'table') as (this: LmdbEnvironment, name: string) => Table;
  const spy = vi.spyOn(LmdbEnvironment.prototype, 'table').mockImplementation(function (this: LmdbEnvironment, name) {
    const table = real.call(this, name);
    return {
      ...table,
      put: (key, value) => {
        puts.push(name);
        table.put(key, value);
      },
    };
  });
  onTestFinished(() => spy.mockRestore());
  const { start } = await aged();
  const { store } = await start();
  const ref = GROUPS[0] as GroupRef;
  puts.length = 0;
  await Promise.all(Array.from({ length: 100 }, (_, n) => store.apply({ kind: 'set', ...ref, item: 'one', data: `${n}` })));
  expect((await store.get(ref, 'one')).value).toMatchObject({ data: '99' });
  expect(puts.filter((name) => name === 'items')).toHaveLength(1);
  expect(puts.filter((name) => name === 'versions')).toHaveLength(1);
});

test('a write sees the last value of each item, whether it waits, is written, or is known from an earlier transaction', async () => {
  const { start } = await aged();
  const { store } = await start();
  const ref = GROUPS[0] as GroupRef;
  const set = async (item: string, data: string) => {
    const result = await store.apply({ kind: 'set', ...ref, item, data });
    return result.kind === 'applied' ? result.old : 'unchanged';
  };
  // More items than may wait in one transaction.
  const items = Array.from({ length: 700 }, (_, n) => `m${n}`);
  for (let round = 0; round < 3; round++) {
    const before = round === 0 ? undefined : `"${round - 1} b"`;
    const results = await Promise.all([
      ...items.map((item) => set(item, `"${round} a"`)),
      ...items.map((item) => set(item, `"${round} b"`)),
    ]);
    expect(results).toEqual([...items.map(() => before), ...items.map(() => `"${round} a"`)]);
  }
  const removed = await Promise.all(items.map((item) => store.apply({ kind: 'delete', ...ref, item })));
  expect(new Set(removed.map(({ old }) => old))).toEqual(new Set(['"2 b"']));
  expect(new Set(await Promise.all(items.map((item) => set(item, '1'))))).toEqual(new Set([undefined]));
});

test('the values of a transaction that was undone are not known to later ones', async () => {
  const fault = faulty();
  const { start } = await aged();
  const { store, set } = await start().then((opened) => ({ store: opened.store, set: opened.set.bind(opened) }));
  await set('m', '1');
  fault.set('versions.put', 1);
  await expect(set('m', '2')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(await set('m', '3')).toMatchObject({ old: '1' });
  expect((await store.get(GROUP, 'm')).value).toMatchObject({ data: '3', changed: 2 });
});

test('a write reads no table for an item that was written lately', async () => {
  const gets: string[] = [];
  const real = Reflect.get(LmdbEnvironment.prototype, 'table') as (this: LmdbEnvironment, name: string) => Table;
  const spy = vi.spyOn(LmdbEnvironment.prototype, 'table').mockImplementation(function (this: LmdbEnvironment, name) {
    const table = real.call(this, name);
    const get: Table['get'] = (key, options) => {
      gets.push(name);
      return options === undefined ? table.get(key) : table.get(key, options);
    };
    return { ...table, get };
  });
  onTestFinished(() => spy.mockRestore());
  const { start } = await aged();
  const opened = await start();
  await opened.set('m', '1');
  gets.length = 0;
  for (const data of ['2', '3']) expect(await opened.set('m', data)).toMatchObject({ old: `${Number(data) - 1}` });
  expect(gets).toEqual([]);
});
