import { once, set, writeTo } from '@rivulet/conformance/store-contract/writes';
import { LIMITS } from '@rivulet/protocol';
import { expect, test } from 'vitest';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';
import { decodeText, encodeText } from '../../src/store/lmdb/tables/records.js';
import { requireCapacity } from '../../src/store/shared/write-plan.js';
import { aged, count, damage, faulty } from '../aged-store.js';

const MINUTE = 60_000;
const ttl = (ms: number) => ({ expiry: { kind: 'ttl', ms } }) as const;

/** Returns the state of a store as JSON. `change`, if present, modifies the state in the store. */
async function stateOf(path: string, change?: (state: Record<string, unknown>) => void): Promise<Record<string, unknown>> {
  const environment = await LmdbEnvironment.open({ path, relaxed: false, tables: ['meta'] });
  const meta = environment.table('meta');
  const key = Buffer.from('state');
  const state = JSON.parse(decodeText(key, meta.get(key) ?? Buffer.alloc(0))) as Record<string, unknown>;
  change?.(state);
  await environment.close(() => meta.put(key, encodeText(key, JSON.stringify(state))));
  return state;
}

test('a store of before keys and times to live is opened as it is', async () => {
  const { path, start } = await aged();
  let opened = await start();
  // The format of a record without an expiry has not changed.
  await opened.set('m', '1');
  await opened.store.close();
  await stateOf(path, (state) => {
    for (const key of ['keys', 'keyBytes', 'run']) delete state[key];
  });
  opened = await start();
  expect(await opened.value('m')).toBe('1');
  expect(await writeTo(opened, [{ ...set('m', '2'), ...ttl(MINUTE) }], { once: once('k') })).toMatchObject({ kind: 'written' });
  await opened.store.close();
  expect(await stateOf(path)).toMatchObject({ keys: 1, run: 1 });
});

test('RV-32 a sweep forgets all keys whose time is over and counts them off; those that are known stay', async () => {
  const { path, time, start } = await aged();
  const opened = await start();
  await Promise.all(Array.from({ length: 4_100 }, (_, n) => writeTo(opened, [set('m', '1')], { once: once(`k${n}`) })));
  time.elapsed += 5 * MINUTE;
  await writeTo(opened, [set('m', '1')], { once: once('later') });
  time.elapsed += 5 * MINUTE;
  await writeTo(opened, [set('m', '1')], { once: once('k7') });
  await opened.sweep();
  expect(await writeTo(opened, [set('m', '1')], { once: once('later') })).toMatchObject({ kind: 'replayed' });
  await opened.store.close();
  expect([await count(path, 'keys'), await count(path, 'key_ages')]).toEqual([2, 2]);
  const { keys, keyBytes } = await stateOf(path);
  expect(keys).toBe(2);
  expect(keyBytes).toBeGreaterThan(100);
  expect(keyBytes).toBeLessThan(1_000);
});

test('RV-32 a store that remembers as much as it may refuses a write with a key, and writes nothing of it', async () => {
  expect(() => requireCapacity(LIMITS.idempotencyKeys - 1, 0, 1)).not.toThrow();
  expect(() => requireCapacity(LIMITS.idempotencyKeys, 0, 1)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
  const { path, start } = await aged();
  let opened = await start();
  await opened.store.close();
  await stateOf(path, (state) => Object.assign(state, { keys: 1, keyBytes: LIMITS.idempotencyBytes - 10 }));
  opened = await start();
  const writes = await Promise.allSettled([writeTo(opened, [set('a', '1')], { once: once('k') }), opened.set('b', '1')]);
  expect(writes).toMatchObject([{ reason: { code: 'OVERLOADED' } }, { status: 'fulfilled' }]);
  expect(opened.commits.map(({ item }) => item)).toEqual(['b']);
});

test('RV-33 RV-32 a transaction that fails half way through a batch leaves none of it, and its key free until it is done', async () => {
  const { path, lines, start } = await aged();
  const fault = faulty();
  const opened = await start();
  await opened.set('a', '1');
  for (const [call, nth] of [
    ['items.put', 2],
    ['expiries.put', 1],
    ['keys.put', 1],
    ['key_ages.put', 1],
    ['meta.put', 1],
  ] as const) {
    const changes = [set(`x-${call}`, '1'), { ...set(`y-${call}`, '1'), ...ttl(MINUTE) }];
    // Alone in its transaction, the write fails as a whole.
    fault.set(call, nth);
    await expect(writeTo(opened, changes, { once: once(call) })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await opened.value(`x-${call}`)).toBeUndefined();
    // Together with others, the write gets a transaction of its own after the failure.
    fault.set(call, nth);
    const both = await Promise.all([writeTo(opened, changes, { once: once(call) }), opened.set(`z-${call}`, '1')]);
    expect(both).toMatchObject([{ kind: 'written' }, { kind: 'applied' }]);
    expect(await writeTo(opened, changes, { once: once(call) })).toMatchObject({ kind: 'replayed' });
  }
  expect(lines.every(({ event }) => event === 'store_write_refused')).toBe(true);
  expect(opened.commits.map(({ position }) => position.offset)).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
  await opened.store.close();
  expect([await count(path, 'keys'), await count(path, 'key_ages'), await count(path, 'expiries')]).toEqual([5, 5, 5]);
  expect(await stateOf(path)).toMatchObject({ keys: 5 });
});

test.each([{ table: 'expiries' }, { table: 'items' }])(
  'RV-40 a flipped bit in the $table costs the expiry that item alone, said once',
  async ({ table }) => {
    const { path, time, lines, start } = await aged();
    let opened = await start();
    for (const item of ['a', 'b', 'c']) await writeTo(opened, [{ ...set(item, '1'), ...ttl(MINUTE) }]);
    await opened.store.close();
    expect(await damage(path, table, (index) => index === 1)).toBe(3);
    opened = await start();
    time.elapsed += MINUTE;
    await opened.expire();
    await opened.expire();
    expect(opened.commits.map(({ item, effect }) => [item, effect])).toEqual([
      ['a', 'delete'],
      ['c', 'delete'],
    ]);
    expect(lines).toMatchObject([{ event: 'store_records_damaged', fields: { code: 'CORRUPT_ITEM', records: 1, where: 'expiries' } }]);
    // The record of `b` is present: unchanged, or recognised as damaged.
    await expect(opened.value('b').catch((error: unknown) => (error as { code: string }).code)).resolves.toBe(
      table === 'items' ? 'CORRUPT_ITEM' : '1',
    );
    await opened.store.close();
    expect(await count(path, 'expiries')).toBe(0);
  },
);

test('RV-32 a damaged key fails its own writes until its time is over: what it answered is not known', async () => {
  const { path, time, lines, start } = await aged();
  let opened = await start();
  for (const key of ['a', 'b']) await writeTo(opened, [set(key, '1')], { once: once(key) });
  await opened.store.close();
  expect(await damage(path, 'keys', (index) => index === 0)).toBe(2);
  opened = await start();
  await expect(writeTo(opened, [set('a', '2')], { once: once('a') })).rejects.toMatchObject({ code: 'CORRUPT_ITEM' });
  expect(await writeTo(opened, [set('b', '2')], { once: once('b') })).toMatchObject({ kind: 'replayed' });
  expect(opened.commits).toEqual([]);
  time.elapsed += 10 * MINUTE;
  await opened.sweep();
  expect(await writeTo(opened, [set('a', '2')], { once: once('a') })).toMatchObject({ kind: 'written' });
  expect(lines).toMatchObject([{ event: 'store_records_damaged', fields: { where: 'keys', records: 1 } }]);
});

test('RV-40 an expiry that fails half way has deleted nothing, is said, and is done at the next look', async () => {
  const { time, lines, start } = await aged();
  const fault = faulty();
  const opened = await start();
  await opened.expire();
  for (const item of ['a', 'b']) await writeTo(opened, [{ ...set(item, '1'), ...ttl(MINUTE) }]);
  time.elapsed += MINUTE;
  // The common transaction fails, and then the first one with a single write.
  fault.set('order.remove', 2);
  await opened.expire();
  expect(opened.commits.map(({ item, effect }) => [item, effect]).slice(2)).toEqual([
    ['a', 'delete'],
    ['b', 'delete'],
  ]);
  expect((await opened.items()).items).toEqual([]);
  await writeTo(opened, [{ ...set('c', '1'), ...ttl(MINUTE) }]);
  time.elapsed += MINUTE;
  fault.set('order.remove', 1);
  await opened.expire();
  expect(await opened.value('c')).toBe('1');
  expect(lines).toMatchObject([{ event: 'store_write_refused' }]);
  await opened.expire();
  expect(await opened.value('c')).toBeUndefined();
});
