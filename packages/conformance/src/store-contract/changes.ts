import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Position } from '@rivulet/protocol';
import { clause, GROUP, OpenStore, type StoreClause } from './factory.js';

const DAY = 86_400_000;

function positionOf(open: OpenStore, index: number): Position {
  const commit = open.commits.at(index);
  ok(commit !== undefined);
  return commit.position;
}

/** Clauses about `changes`: each changed item once, with its last value, and a tombstone for each deleted one. */
export const changeClauses: readonly StoreClause[] = [
  clause('changes answers each item changed since once, with its newest value, in order of the change', async (open) => {
    for (const item of ['a', 'b', 'c']) await open.set(item, '1');
    const since = positionOf(open, -1);
    await open.set('b', '2');
    await open.set('d', '3');
    await open.set('b', '4');
    const entries = await open.changes(since);
    ok(entries !== 'stale');
    deepEqual(
      entries.map((entry) => [entry.kind, entry.item, entry.kind === 'item' ? entry.data : undefined]),
      [
        ['item', 'd', '3'],
        ['item', 'b', '4'],
      ],
    );
    deepEqual(await open.changes(positionOf(open, -1)), []);
  }),
  clause('a delete leaves a tombstone with its offset, the offset of creation and the id of the value', async (open) => {
    await open.set('m', '{"id":"x","n":1}');
    const since = positionOf(open, -1);
    await open.set('n', '7');
    await open.delete('m');
    await open.delete('n');
    const entries = await open.changes(since);
    deepEqual(entries, [
      { kind: 'tombstone', item: 'm', changed: since.offset + 2, created: since.offset, valueId: '"x"' },
      { kind: 'tombstone', item: 'n', changed: since.offset + 3, created: since.offset + 1, valueId: undefined },
    ]);
  }),
  clause('an item that comes back is one entry, created anew', async (open) => {
    await open.set('m', '1');
    const since = positionOf(open, -1);
    await open.delete('m');
    await open.set('m', '2');
    const entries = await open.changes(since);
    deepEqual(entries, [{ kind: 'item', item: 'm', data: '2', created: since.offset + 2, changed: since.offset + 2 }]);
  }),
  clause('another epoch is stale', async (open) => {
    await open.set('m', '1');
    equal(await open.changes({ epoch: 'another', offset: positionOf(open, -1).offset }), 'stale');
  }),
  clause('applying the changes to an older mirror gives the newer snapshot, from any position', async (open) => {
    const mirrors: { at: Position; items: Map<string, string> }[] = [];
    let state = 7;
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    for (let n = 0; n < 400; n++) {
      const item = `m${random(20)}`;
      await (random(4) === 0 ? open.delete(item) : open.set(item, String(n)));
      if (n % 20 !== 0) continue;
      const { items, position } = await open.items();
      mirrors.push({ at: position, items: new Map(items.map((each) => [each.item, each.data])) });
    }
    const last = await open.items();
    const expected = new Map(last.items.map((each) => [each.item, each.data]));
    for (const { at, items } of mirrors) {
      const entries = await open.changes(at);
      ok(entries !== 'stale');
      for (const entry of entries) {
        if (entry.kind === 'item') items.set(entry.item, entry.data);
        else items.delete(entry.item);
      }
      deepEqual(items, expected);
    }
  }),
  {
    title: 'tombstones and changes survive a restart',
    persistent: true,
    run: async (factory) => {
      let now = Date.now();
      const open = await OpenStore.start(await factory.create(() => now));
      await open.set('a', '{"id":1}', GROUP);
      await open.set('b', '1');
      const since = positionOf(open, -1);
      await open.delete('a');
      await open.store.close();
      now += DAY;
      const again = await OpenStore.start(await factory.reopen(() => now));
      await again.set('b', '2');
      const entries = await again.changes(since);
      ok(entries !== 'stale');
      deepEqual(
        entries.map((entry) => [entry.kind, entry.item]),
        [
          ['tombstone', 'a'],
          ['item', 'b'],
        ],
      );
      await again.store.close();
      await factory.dispose();
    },
  },
];
