import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, test } from 'vitest';
import { stream } from '../../src/index.js';
import { connectWorker } from '../connect-worker.js';

interface Note {
  readonly n: number;
}

async function notes() {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  return stream<Note>(worker);
}

test('RV-30 RV-31 a read, a change of one item, and a write if nobody was faster', async () => {
  const all = await notes();
  const created = await all.set('notes', 'g', 'a', { n: 1 }, { ifAbsent: true, withVersions: true });
  if ('conflict' in created) throw new Error('there was one');
  const read = await all.getVersioned('notes', 'g', 'a');
  expect(read).toEqual({ data: { n: 1 }, version: created.version, position: created.version });
  const version = read.version ?? '';
  expect(await all.update('notes', 'g', 'a', [{ type: 'increment', path: 'n', by: 1 }], { ifVersion: version })).toEqual({
    old_value: { n: 1 },
    new_value: { n: 2 },
  });
  const late = await all.set('notes', 'g', 'a', { n: 9 }, { ifVersion: version });
  const { items, position } = await all.listVersioned('notes', 'g');
  expect(late).toEqual({ conflict: { value: { n: 2 }, version: items[0]?.version } });
  expect(items).toEqual([{ id: 'a', data: { n: 2 }, version: position }]);
  expect(await all.delete('notes', 'g', 'a', { ifVersion: version })).toEqual(late);
  // Without a condition the type of the result has no conflict.
  const { new_value: plain } = await all.set('notes', 'g', 'b', { n: 3 });
  expect(plain.n).toBe(3);
  expect(await all.list('notes', 'g', { limit: 1, after: 'a' })).toEqual([{ n: 3 }]);
  expect(await all.getVersioned('notes', 'g', 'nobody')).toMatchObject({ data: null, version: null });
});

test('RV-32 RV-33 RV-40 batches, keys and times to live', async () => {
  const all = await notes();
  const write = () =>
    all.batch(
      'notes',
      'g',
      [
        { type: 'set', itemId: 'a', data: { n: 1 }, ifAbsent: true },
        { type: 'update', itemId: 'a', ops: [{ type: 'increment', path: 'n', by: 1 }] },
        { type: 'set', itemId: 'b', data: { n: 5 }, ttlMs: 60_000 },
        { type: 'delete', itemId: 'b' },
      ],
      { idempotencyKey: 'k' },
    );
  const first = await write();
  expect(first).toEqual({
    results: [
      { old_value: null, new_value: { n: 1 } },
      { old_value: { n: 1 }, new_value: { n: 2 } },
      { old_value: null, new_value: { n: 5 } },
      { old_value: { n: 5 } },
    ],
  });
  expect(await write()).toEqual({ ...first, replayed: true });
  const conflict = await all.batch('notes', 'g', [{ type: 'delete', itemId: 'a', ifVersion: 'none' }]);
  expect(conflict.conflict).toMatchObject({ index: 0, item_id: 'a', value: { n: 2 } });
  await all.send('notes', 'g', 'ping', 1, undefined, { idempotencyKey: 'p' });
  expect(await all.set('notes', 'g', 'c', { n: 1 }, { ttlMs: 1_000, idempotencyKey: 'c' })).toEqual({
    old_value: null,
    new_value: { n: 1 },
  });
  await expect.poll(() => all.get('notes', 'g', 'c')).toBeUndefined();
});
