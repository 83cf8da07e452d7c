import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { Commit, GroupBounds } from '@rivulet/engine/store';
import { GROUP, OpenStore, type StoreClause, type StoreFactory } from './factory.js';
import { once, set, writeTo } from './writes.js';

const FULL = { name: 'RivuletError', code: 'GROUP_FULL' };
/** Most items that one write deletes: `evictedItems` of docs/limits.md. */
const EVICTED_ITEMS = 1_000;

/** Returns a clause over a store whose groups have these bounds, except for the streams `free`. */
function boundsClause(title: string, bounds: GroupBounds, run: (open: OpenStore) => Promise<void>): StoreClause {
  return {
    title,
    persistent: false,
    run: async (factory) => {
      if (factory.bounded !== true) return;
      const open = await OpenStore.start(await factory.create(Date.now, (stream) => (stream === 'free' ? undefined : bounds)));
      try {
        await run(open);
      } finally {
        await open.store.close();
        await factory.dispose();
      }
    },
  };
}

/** Returns a clause that opens the store again with other bounds. */
function reopenClause(title: string, run: (open: (bounds: GroupBounds | undefined) => Promise<OpenStore>) => Promise<void>): StoreClause {
  return {
    title,
    persistent: true,
    run: async (factory: StoreFactory) => {
      if (factory.bounded !== true) return;
      let opened: OpenStore | undefined;
      try {
        await run(async (bounds) => {
          await opened?.store.close();
          const store = opened === undefined ? factory.create(Date.now, () => bounds) : factory.reopen(Date.now, () => bounds);
          opened = await OpenStore.start(await store);
          return opened;
        });
      } finally {
        await opened?.store.close();
        await factory.dispose();
      }
    },
  };
}

const names = async (open: OpenStore) => (await open.items()).items.map(({ item }) => item);
const shape = ({ effect, item, position, through }: Commit) => [effect, item, position.offset, through];

/** Clauses about the bounds of groups. A store that does not obey `boundsOf` passes. */
export const boundsClauses: readonly StoreClause[] = [
  boundsClause(
    'a full group deletes its oldest item, after the write and in one step with it',
    { maxItems: 2, onFull: 'delete_oldest' },
    async (open) => {
      await open.set('a', '{"id":"A"}');
      await open.set('b', '1');
      await open.set('a', '{"id":"B"}');
      const result = await open.set('c', '1');
      ok(result.kind === 'applied');
      equal(result.position.offset, 4);
      deepEqual(open.commits.slice(-2).map(shape), [
        ['create', 'c', 4, 5],
        ['delete', 'a', 5, 5],
      ]);
      const last = open.commits.at(-1);
      deepEqual([last?.data, last?.old, last?.created], ['{"id":"B"}', '{"id":"B"}', 1]);
      deepEqual(await names(open), ['b', 'c']);
      const changes = await open.changes({ ...result.position, offset: 3 });
      ok(changes !== 'stale');
      deepEqual(
        changes.map(({ kind, item, changed }) => [kind, item, changed]),
        [
          ['item', 'c', 4],
          ['tombstone', 'a', 5],
        ],
      );
      equal((await open.set('c', '2')).kind, 'applied');
      deepEqual(open.commits.slice(-1).map(shape), [['update', 'c', 6, undefined]]);
    },
  ),
  boundsClause('a full group that refuses takes updates and deletes, and no new item', { maxItems: 2, onFull: 'refuse' }, async (open) => {
    await open.set('a', '1');
    await open.set('b', '1');
    await rejects(open.set('c', '1'), FULL);
    await rejects(open.apply({ kind: 'update', ...GROUP, item: 'c', compute: () => '1' }), FULL);
    await rejects(writeTo(open, [set('a', '2'), set('c', '1')]), FULL);
    equal(open.commits.length, 2);
    await open.set('a', '2');
    await open.event('ping');
    equal((await writeTo(open, [{ kind: 'delete', item: 'a' }, set('c', '1')])).kind, 'written');
    deepEqual(await names(open), ['b', 'c']);
    await rejects(open.set('d', '1'), FULL);
    await open.delete('b');
    await open.set('d', '1');
    await open.set('x', '1', { stream: 'free', group: 'g' });
    await open.set('y', '1', { stream: 'free', group: 'g' });
    await open.set('z', '1', { stream: 'free', group: 'g' });
    equal((await open.items({ stream: 'free', group: 'g' })).items.length, 3);
  }),
  boundsClause('writes of one turn are decided one after another', { maxItems: 3, onFull: 'delete_oldest' }, async (open) => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => open.set(`i${n}`, String(n))));
    deepEqual(await names(open), ['i17', 'i18', 'i19']);
    const mixed = await Promise.all([
      open.set('a', '1'),
      writeTo(open, [set('b', '1'), set('c', '1'), set('d', '1')]),
      open.apply({ kind: 'update', ...GROUP, item: 'a', compute: (old) => old ?? '"new"' }),
      open.delete('b'),
    ]);
    // The batch deletes `a`, so the update creates it again, and that deletes `b`.
    deepEqual(
      mixed.map(({ kind }) => kind),
      ['applied', 'written', 'applied', 'unchanged'],
    );
    deepEqual(await names(open), ['c', 'd', 'a']);
    equal(await open.value('a'), '"new"');
    const offsets = open.commits.map(({ position }) => position.offset);
    deepEqual(
      offsets,
      offsets.map((_, index) => index + 1),
    );
  }),
  boundsClause(
    'a batch and its deletes share one `through`, and never delete what it writes',
    { maxItems: 3, onFull: 'delete_oldest' },
    async (open) => {
      for (const item of ['a', 'b', 'c']) await open.set(item, '1');
      const before = open.commits.length;
      await writeTo(open, [set('a', '2'), set('d', '1'), set('e', '1')]);
      deepEqual(open.commits.slice(before).map(shape), [
        ['update', 'a', 4, 8],
        ['create', 'd', 5, 8],
        ['create', 'e', 6, 8],
        ['delete', 'b', 7, 8],
        ['delete', 'c', 8, 8],
      ]);
      deepEqual(await names(open), ['a', 'd', 'e']);
      await rejects(writeTo(open, [set('p', '1'), set('q', '1'), set('r', '1'), set('s', '1')]), FULL);
      // Items that the batch itself deletes take no room.
      await writeTo(open, [set('p', '1'), set('q', '1'), set('r', '1'), set('s', '1'), { kind: 'delete', item: 'p' }]);
      deepEqual(await names(open), ['q', 'r', 's']);
    },
  ),
  boundsClause('bytes count the ids and values as they are now', { maxBytes: 20, onFull: 'delete_oldest' }, async (open) => {
    await open.set('a', '"12345"');
    await open.set('é', '"1234"');
    equal(open.commits.length, 2);
    await open.set('b', '123');
    deepEqual(await names(open), ['a', 'é', 'b']);
    await open.set('b', '1234');
    deepEqual(await names(open), ['é', 'b']);
    await open.set('é', '1');
    await open.set('c', '"123456789"');
    deepEqual(await names(open), ['é', 'b', 'c']);
    await open.delete('c');
    await open.set('d', '"1234567890123456"');
    deepEqual(await names(open), ['d']);
    await rejects(open.set('d', '"123456789012345678"'), FULL);
    await rejects(writeTo(open, [set('x', '"12345678"'), set('y', '"12345678"')]), FULL);
    equal(await open.value('d'), '"1234567890123456"');
  }),
  boundsClause('a group that refuses by its bytes lets an item shrink', { maxBytes: 10, onFull: 'refuse' }, async (open) => {
    await open.set('a', '12345678');
    await rejects(open.set('a', '1234567890'), FULL);
    await rejects(open.set('b', '1'), FULL);
    await open.set('a', '123');
    await open.set('b', '12345');
    await rejects(open.set('b', '123456'), FULL);
    await open.delete('a');
    await open.set('b', '123456789');
  }),
  boundsClause('conditions and idempotency keys come before the bound', { maxItems: 1, onFull: 'refuse' }, async (open) => {
    if (open.store.write === undefined) return;
    await writeTo(open, [set('a', '1')], { once: once('k') });
    const replay = await writeTo(open, [set('a', '1')], { once: once('k') });
    equal(replay.kind, 'replayed');
    equal((await writeTo(open, [{ ...set('a', '2'), condition: { kind: 'absent' } }])).kind, 'conflict');
    await rejects(writeTo(open, [set('b', '1')], { once: once('l') }), FULL);
    // A failure is not remembered.
    await open.delete('a');
    equal((await writeTo(open, [set('b', '1')], { once: once('l') })).kind, 'written');
    deepEqual(await names(open), ['b']);
  }),
  boundsClause('a repeated write of a full group deletes nothing', { maxItems: 1, onFull: 'delete_oldest' }, async (open) => {
    if (open.store.write === undefined) return;
    await open.set('a', '1');
    const first = await writeTo(open, [set('b', '1')], { once: once('k') });
    await open.set('c', '1');
    const replay = await writeTo(open, [set('b', '1')], { once: once('k') });
    ok(replay.kind === 'replayed');
    equal(replay.answer, JSON.stringify(first));
    deepEqual(await names(open), ['c']);
    const conflict = await writeTo(open, [{ ...set('c', '2'), condition: { kind: 'absent' } }]);
    equal(conflict.kind, 'conflict');
    deepEqual(await names(open), ['c']);
  }),
  reopenClause('a group above a new bound comes down by one bounded step with each write', async (reopen) => {
    const open = await reopen(undefined);
    const all = Array.from({ length: EVICTED_ITEMS + 10 }, (_, n) => `i${n}`);
    await Promise.all(all.map((item) => open.set(item, '1')));
    let bounded = await reopen({ maxItems: 5, onFull: 'refuse' });
    await rejects(bounded.set('new', '1'), FULL);
    await bounded.set('i0', '2');
    await bounded.delete('i0');
    equal((await bounded.items()).items.length, EVICTED_ITEMS + 9);
    bounded = await reopen({ maxItems: 5, onFull: 'delete_oldest' });
    await bounded.delete('i1');
    await bounded.set('i2', '2');
    equal(bounded.commits.length, 2 + EVICTED_ITEMS);
    equal((await bounded.items()).items.length, 8);
    await bounded.set('last', '1');
    deepEqual(await names(bounded), ['i1006', 'i1007', 'i1008', 'i1009', 'last']);
  }),
  reopenClause('bytes are counted again when the bound was absent meanwhile', async (reopen) => {
    const bounds = { maxBytes: 20, onFull: 'refuse' } as const;
    let open = await reopen(bounds);
    await open.set('a', '12345');
    await rejects(open.set('b', '"1234567890123"'), FULL);
    open = await reopen(bounds);
    await rejects(open.set('b', '"1234567890123"'), FULL);
    await open.set('c', '123');
    open = await reopen(undefined);
    await open.set('a', '1');
    await open.delete('c');
    open = await reopen(bounds);
    await open.set('b', '"1234567890123"');
    await rejects(open.set('c', '12'), FULL);
  }),
  boundsClause(
    'an item goes by the age of its last change, or earlier by a time to live; a lease keeps it',
    { maxAgeMs: 1_000, onFull: 'refuse' },
    async (open) => {
      if (open.store.write === undefined) return;
      const deleted = (items: readonly string[], after: number) =>
        new Promise<void>((resolve) => {
          const check = () => {
            const gone = new Set(
              open.commits.filter(({ effect, position }) => effect === 'delete' && position.offset > after).map(({ item }) => item),
            );
            if (items.every((item) => gone.has(item))) resolve();
          };
          open.onCommit = check;
          check();
        });
      await writeTo(open, [{ ...set('leased', '1'), expiry: { kind: 'held', graceMs: 1 } }]);
      await writeTo(open, [{ ...set('long', '1'), expiry: { kind: 'ttl', ms: 86_400_000 } }]);
      await open.set('same', '1');
      await open.set('changed', '1');
      await writeTo(open, [{ ...set('short', '1'), expiry: { kind: 'ttl', ms: 400 } }]);
      await deleted(['short'], 0);
      await open.apply({ kind: 'update', ...GROUP, item: 'leased', compute: () => '2' });
      await open.apply({ kind: 'update', ...GROUP, item: 'same', compute: () => undefined });
      const changedAt = performance.now();
      const result = await open.apply({ kind: 'update', ...GROUP, item: 'changed', compute: () => '2' });
      ok(result.kind === 'applied');
      await deleted(['changed'], result.position.offset);
      ok(performance.now() - changedAt >= 999, 'the changed item was deleted before its time');
      await deleted(['long', 'same'], 0);
      deepEqual(await names(open), ['leased']);
    },
  ),
];
