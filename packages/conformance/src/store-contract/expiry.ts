import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Commit } from '@rivulet/engine/store';
import { OpenStore, type StoreClause, type StoreFactory } from './factory.js';
import { once, set, writeClause, writeTo } from './writes.js';

const DAY = 86_400_000;
const ttl = (ms: number) => ({ expiry: { kind: 'ttl', ms } }) as const;
const held = (graceMs: number) => ({ expiry: { kind: 'held', graceMs } }) as const;

/**
 * Resolves with the deletes after the first `from` commits, as soon as there are `count` of them. By default, it counts from this call on.
 */
function deletesOf(open: OpenStore, count: number, from = open.commits.length): Promise<readonly Commit[]> {
  const deletes = () => open.commits.slice(from).filter(({ effect }) => effect === 'delete');
  // The timers of a store need not keep the process alive. Without a test runner, the process would end before the deletes.
  const keptAlive = setInterval(() => {}, DAY);
  return new Promise((resolve) => {
    const check = () => {
      if (deletes().length < count) return;
      clearInterval(keptAlive);
      resolve(deletes());
    };
    open.onCommit = check;
    check();
  });
}

function persistentClause(title: string, run: (factory: StoreFactory) => Promise<void>): StoreClause {
  return {
    title,
    persistent: true,
    run: async (factory) => {
      try {
        await run(factory);
      } finally {
        await factory.dispose();
      }
    },
  };
}

/** Clauses about items that the store deletes by itself. A store without `write` passes. */
export const expiryClauses: readonly StoreClause[] = [
  writeClause('RV-40 an item with a time to live is deleted in time, as by a delete, those due earlier first, once', async (open) => {
    const begun = performance.now();
    await writeTo(open, [{ ...set('slow', '{"id":"s"}'), ...ttl(1_000) }]);
    await writeTo(open, [{ ...set('fast', '{"id":"f"}'), ...ttl(100) }]);
    const commits = await deletesOf(open, 2);
    const took = performance.now() - begun;
    ok(took >= 999, `the last item ended ${took} ms after the first write, before its time`);
    deepEqual(
      commits.map(({ item, effect, data, old }) => [item, effect, data, old]),
      [
        ['fast', 'delete', '{"id":"f"}', '{"id":"f"}'],
        ['slow', 'delete', '{"id":"s"}', '{"id":"s"}'],
      ],
    );
    deepEqual((await open.items()).items, []);
    const position = commits[0]?.position ?? { epoch: '', offset: 0 };
    const changes = await open.changes({ ...position, offset: position.offset - 1 });
    ok(changes !== 'stale');
    deepEqual(
      changes.map(({ kind, item }) => [kind, item]),
      [
        ['tombstone', 'fast'],
        ['tombstone', 'slow'],
      ],
    );
  }),
  writeClause(
    'RV-40 the last write decides: a set without a time stays, an update without one leaves it, one with it renews it',
    async (open) => {
      await writeTo(open, [
        { ...set('stays', '1'), ...ttl(1_500) },
        { ...set('left', '1'), ...ttl(2_000) },
        { ...set('renewed', '1'), ...ttl(1_500) },
        { ...set('touched', '1'), ...ttl(1_500) },
        { ...set('again', '1'), ...ttl(1_500) },
        { ...set('gone', '1'), ...ttl(1_500) },
      ]);
      await open.set('stays', '2');
      await open.apply({ kind: 'update', stream: 'chat', group: 'room-1', item: 'left', compute: () => '2' });
      await writeTo(open, [{ kind: 'update', item: 'renewed', compute: () => '2', ...ttl(DAY) }]);
      const before = open.commits.length;
      await writeTo(open, [{ kind: 'update', item: 'touched', compute: () => undefined, ...ttl(DAY) }]);
      equal(open.commits.length, before);
      await open.delete('again');
      await open.set('again', '3');
      await open.delete('gone');
      const commits = await deletesOf(open, 1);
      deepEqual(
        commits.map(({ item, data }) => [item, data]),
        [['left', '2']],
      );
      deepEqual(
        (await open.items()).items.map(({ item }) => item),
        ['stays', 'renewed', 'touched', 'again'],
      );
    },
  ),
  writeClause('RV-40 many items go, in whatever groups they are', async (open) => {
    const groups = ['g1', 'g2', 'g3'];
    await Promise.all(
      groups.flatMap((group) =>
        Array.from({ length: 1_000 }, (_, n) => writeTo(open, [{ ...set(`m${n}`, String(n)), ...ttl(50) }], { stream: 'many', group })),
      ),
    );
    const all = deletesOf(open, 3_000 - open.commits.filter(({ effect }) => effect === 'delete').length);
    await open.set('kept', '1');
    await all;
    deepEqual(await open.store.groups('many'), []);
    equal(await open.value('kept'), '1');
  }),
  {
    title: 'F47 a jump of the wall clock lets nothing go early, and keeps nothing longer',
    persistent: false,
    run: async (factory) => {
      let now = 1_700_000_000_000;
      const open = await OpenStore.start(await factory.create(() => now));
      try {
        if (open.store.write === undefined) return;
        await writeTo(open, [{ ...set('late', '1'), ...ttl(60_000) }], { once: once('k', { retentionMs: 60_000 }) });
        await writeTo(open, [{ ...set('soon', '1'), ...ttl(300) }]);
        now += DAY;
        deepEqual(
          (await deletesOf(open, 1)).map(({ item }) => item),
          ['soon'],
        );
        await writeTo(open, [{ ...set('soon', '2'), ...ttl(300) }]);
        now -= 10 * DAY;
        deepEqual(
          (await deletesOf(open, 1)).map(({ item }) => item),
          ['soon'],
        );
        equal(await open.value('late'), '1');
        now += 20 * DAY;
        equal((await writeTo(open, [set('late', '2')], { once: once('k') })).kind, 'replayed');
      } finally {
        await open.store.close();
        await factory.dispose();
      }
    },
  },
  persistentClause(
    'RV-40 RV-41 after a restart an item goes when the wall clock says so; one that was held, its grace after the start',
    async (factory) => {
      let now = 1_700_000_000_000;
      const open = await OpenStore.start(await factory.create(() => now));
      if (open.store.write === undefined) return open.store.close();
      await writeTo(open, [
        { ...set('overdue', '1'), ...ttl(60_000) },
        { ...set('later', '1'), ...ttl(2 * DAY) },
        { ...set('held', '1'), ...held(1_500) },
        { ...set('long', '1'), ...held(DAY) },
        { ...set('taken', '1'), ...held(60_000) },
        { ...set('freed', '1'), ...held(60_000) },
      ]);
      await open.store.close();
      now += DAY;
      const begun = performance.now();
      const again = await OpenStore.start(await factory.reopen(() => now));
      // The store may delete the overdue item while it starts.
      const both = deletesOf(again, 2, 0);
      await writeTo(again, [{ kind: 'update', item: 'taken', compute: () => undefined, ...held(1_500) }]);
      await again.set('freed', '2');
      deepEqual(
        (await both).map(({ item }) => item),
        ['overdue', 'held'],
      );
      const took = performance.now() - begun;
      ok(took >= 1_499, `the held item ended ${took} ms after the start, before its grace was over`);
      deepEqual(
        (await again.items()).items.map(({ item }) => item),
        ['later', 'long', 'taken', 'freed'],
      );
      await again.store.close();
    },
  ),
  persistentClause('RV-32 keys survive a restart, for their time', async (factory) => {
    let now = 1_700_000_000_000;
    const open = await OpenStore.start(await factory.create(() => now));
    if (open.store.write === undefined) return open.store.close();
    const first = await writeTo(open, [set('m', '1')], { once: once('k') });
    await open.store.close();
    now += 300_000;
    let again = await OpenStore.start(await factory.reopen(() => now));
    deepEqual(await writeTo(again, [set('m', '2')], { once: once('k') }), { kind: 'replayed', answer: JSON.stringify(first) });
    await again.store.close();
    // The key expires 600 s after the first write. Real time passes too, so the clause stays far from that moment.
    now += 360_000;
    again = await OpenStore.start(await factory.reopen(() => now));
    equal((await writeTo(again, [set('m', '2')], { once: once('k') })).kind, 'written');
    await again.store.close();
  }),
];
