import { expect, test } from 'vitest';
import { createMemoryStore } from '../../src/store/memory/memory-store.js';
import { dumpOf } from '../../src/store/shared/dump.js';
import { dumpText } from '../../src/store/shared/dump-lines.js';
import type { Expiry } from '../../src/store/store.js';

/** Returns a started store with a clock that stands still, and short forms of its calls. */
async function memory() {
  const store = createMemoryStore({ clock: { now: () => 1_000_000, monotonic: () => 0 }, tombstoneRetentionMs: 1_000 });
  await store.start({ onCommit: () => {}, onBreak: () => {} });
  const set = (group: string, item: string, data: string, expiry?: Expiry) => {
    const change = { kind: 'set', item, data, ...(expiry && { expiry }) } as const;
    return store.write({ kind: 'write', stream: 's', group, changes: [change], batch: false });
  };
  const remove = (group: string, item: string) => store.apply({ kind: 'delete', stream: 's', group, item });
  const dump = () => {
    const source = dumpOf(store);
    if (source === undefined) throw new Error('the store has no dump');
    return source;
  };
  return { store, set, remove, dump };
}

const textOf = async (pieces: AsyncIterable<string>) => {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};

test('a dump has groups with their offsets, and items with their order, versions, times to live and leases', async () => {
  const { store, set, remove, dump } = await memory();
  await set('g', 'z', '"1"');
  await set('g', 'a', '{"data":2}', { kind: 'ttl', ms: 5_000 });
  await set('g', 'm', '3', { kind: 'held', graceMs: 700 });
  await set('g', 'z', '"4"');
  await set('empty', 'x', '1');
  await remove('empty', 'x');
  const [head, ...lines] = await textOf(dumpText('stream', dump()));
  expect(head).toMatchObject({ store: 'stream', removed_offset: 0, removed_timestamp: 0 });
  expect(lines).toMatchObject([
    { stream: 's', group: 'g', offset: 4 },
    { id: 'z', created: 1, changed: 4, data: '4' },
    { id: 'a', created: 2, changed: 2, expires_at: 1_005_000, data: { data: 2 } },
    { id: 'm', created: 3, changed: 3, lease_grace_ms: 700, data: 3 },
    { stream: 's', group: 'empty', offset: 2 },
    { end: { groups: 2, items: 3 } },
  ]);
  await store.close();
});

test('a lease or a time to live that ended is not in the dump', async () => {
  const { store, set, dump } = await memory();
  await set('g', 'a', '1', { kind: 'held', graceMs: 700 });
  await set('g', 'b', '1', { kind: 'ttl', ms: 700 });
  for (const item of ['a', 'b']) await set('g', item, '2');
  const lines = await textOf(dumpText('stream', dump()));
  expect(lines.slice(2, 4)).toEqual([
    { id: 'a', created: 1, changed: 3, data: 2 },
    { id: 'b', created: 2, changed: 4, data: 2 },
  ]);
  await store.close();
});

test('each group is of one moment although writes go on, and later groups are of a later one', async () => {
  const { store, set, remove, dump } = await memory();
  for (let n = 0; n < 1_000; n++) await set('first', `i${n}`, `${n}`);
  await set('second', 'a', '1');
  const groups: Record<string, unknown> = {};
  for await (const each of dump().groups()) {
    const { group, offset } = each;
    const items: string[] = [];
    for await (const chunk of each.chunks()) {
      if (group === 'first' && items.length === 0) {
        await set('first', 'i500', '"new"');
        await remove('first', 'i999');
        await set('second', 'b', '2');
        await set('third', 'c', '3');
      }
      items.push(...chunk.map(({ data }) => data));
    }
    groups[group] = { offset, items };
  }
  expect(groups).toEqual({
    first: { offset: 1_000, items: Array.from({ length: 1_000 }, (_, n) => `${n}`) },
    second: { offset: 2, items: ['1', '2'] },
  });
  await store.close();
});
