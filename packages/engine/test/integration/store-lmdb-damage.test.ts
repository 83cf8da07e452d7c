import { GROUP } from '@rivulet/conformance/store-contract/factory';
import { expect, test } from 'vitest';
import { aged, count, damage, faulty, RETENTION } from '../aged-store.js';

test.each([
  {
    table: 'tombstones',
    known: [expect.objectContaining({ kind: 'tombstone', item: 'c' }), expect.objectContaining({ kind: 'item', item: 'k' })],
  },
  { table: 'versions', known: undefined },
  { table: 'items', known: undefined },
])('a flipped bit in the $table of a delete costs the sweep that record alone, said once', async ({ table, known }) => {
  const { path, time, lines, start } = await aged();
  let opened = await start();
  for (const item of ['a', 'b', 'c']) await opened.set(item, '1');
  for (const item of ['a', 'b', 'c']) await opened.delete(item);
  const since = opened.commits[4]?.position;
  if (since === undefined) throw new Error('no commit');
  await opened.store.close();
  expect(await damage(path, table, (index) => index === 2)).toBe(3);
  time.now += 10 * RETENTION;
  opened = await start();
  const sweep = opened.sweep();
  const queued = opened.set('k', '1');
  await sweep;
  expect(await queued).toMatchObject({ kind: 'applied' });
  await opened.sweep();
  await opened.set('k', '2');
  expect(lines).toMatchObject([{ event: 'store_records_damaged', fields: { code: 'CORRUPT_ITEM', records: 1 } }]);
  const changes = await opened.changes(since);
  expect(changes).toEqual(known ?? 'stale');
  expect((await opened.items()).items).toMatchObject([{ item: 'k', data: '2' }]);
  await opened.store.close();
  // The sweep leaves the damaged delete, and the item that was written.
  expect(await count(path, 'tombstones')).toBe(0);
  expect(await count(path, 'versions')).toBe(2);
  expect(await count(path, 'items')).toBe(2);
});

test('a damaged head costs the sweep its own group alone', async () => {
  const { path, time, lines, start } = await aged();
  const other = { ...GROUP, group: 'room-2' };
  let opened = await start();
  for (const ref of [GROUP, other]) {
    await opened.set('a', '1', ref);
    await opened.set('b', '1', ref);
    await opened.delete('a', ref);
  }
  await opened.store.close();
  expect(await damage(path, 'heads', (index) => index === 0)).toBe(2);
  time.now += 10 * RETENTION;
  opened = await start();
  await opened.sweep();
  expect(lines).toMatchObject([{ event: 'store_records_damaged' }]);
  await expect(opened.set('b', '2')).rejects.toMatchObject({ code: 'CORRUPT_ITEM' });
  expect(await opened.set('b', '2', other)).toMatchObject({ kind: 'applied' });
  expect((await opened.items(other)).items).toHaveLength(1);
});

test('a sweep that throws half way has removed nothing, and the writes queued during it settle', async () => {
  const { path, time, lines, start } = await aged();
  const fault = faulty();
  const opened = await start();
  for (const item of ['a', 'b']) await opened.set(item, '1');
  for (const item of ['a', 'b']) await opened.delete(item);
  time.now += 10 * RETENTION;
  fault.set('versions.remove', 2);
  // A sweep waits for the loop of the writer, so let the loop of the last delete end.
  await new Promise((resolve) => setImmediate(resolve));
  const sweep = opened.sweep();
  const queued = opened.set('k', '1');
  await sweep;
  expect(await queued).toMatchObject({ kind: 'applied' });
  expect(lines).toMatchObject([{ event: 'store_sweep_failed' }]);
  await opened.store.close();
  expect(await count(path, 'tombstones')).toBe(2);
  const again = await start();
  await again.sweep();
  await again.store.close();
  expect(await count(path, 'tombstones')).toBe(0);
});

test('a write that fails half way leaves no trace, takes no offset and fails nobody beside or behind it', async () => {
  const { path, lines, start } = await aged();
  const fault = faulty();
  const opened = await start();
  await opened.set('a', '1');
  // The fault hits the third item of the batch, and hits it again when that item has its own transaction.
  for (const [call, nth] of [
    ['order.put', 3],
    ['items.put', 3],
    ['versions.put', 3],
    ['heads.put', 1],
  ] as const) {
    fault.set(call, nth);
    const batch = ['b', 'c', 'd', 'e'].map((item) => opened.set(`${item}-${call}`, '1'));
    const results = await Promise.all(batch);
    expect(results.map((result) => result.kind)).toEqual(['applied', 'applied', 'applied', 'applied']);
  }
  expect(lines).toEqual([]);
  fault.set('items.put', 1);
  await expect(opened.set('alone', '1')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(lines).toMatchObject([{ event: 'store_write_refused' }]);
  expect(await opened.value('alone')).toBeUndefined();
  await opened.set('last', '1');
  expect(opened.commits.map((commit) => commit.position.offset)).toEqual(Array.from({ length: 18 }, (_, n) => n + 1));
  await opened.store.close();
  const again = await start();
  expect((await again.items()).items).toHaveLength(18);
  await again.store.close();
  expect(await count(path, 'order')).toBe(18);
  expect(await count(path, 'versions')).toBe(18);
});

test('a listener that throws costs no write its answer', async () => {
  const { lines, start } = await aged();
  const opened = await start();
  opened.onCommit = (commit) => {
    if (commit.item === 'a') throw new Error('a listener');
  };
  const writes = await Promise.all(['a', 'b'].map((item) => opened.set(item, '1')));
  expect(writes.map((write) => write.kind)).toEqual(['applied', 'applied']);
  expect(await opened.set('c', '1')).toMatchObject({ kind: 'applied' });
  expect(lines).toMatchObject([{ event: 'commit_report_failed', fields: { group: GROUP.group, offset: 1 } }]);
});

test('a store whose own state is damaged is not started, and can be opened again when it is well', async () => {
  const { path, start } = await aged();
  const opened = await start();
  await opened.set('a', '1');
  await opened.store.close();
  await damage(path, 'meta', () => true);
  await expect(start()).rejects.toMatchObject({ code: 'CORRUPT_STORE' });
  await damage(path, 'meta', () => true);
  expect(await (await start()).value('a')).toBe('1');
});
