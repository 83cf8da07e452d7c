import { expect, test } from 'vitest';
import { RecentItems } from '../../src/store/lmdb/tables/recent-items.js';
import type { ItemRecord } from '../../src/store/lmdb/tables/records.js';

const record = (data: string, more: Partial<ItemRecord> = {}): ItemRecord => ({
  live: true,
  created: 1,
  changed: 2,
  expiry: undefined,
  data,
  ...more,
});

test('the last record of an item is found under its group only, and a delete removes it', () => {
  const recent = new RecentItems();
  recent.set(1, 'm', record('1'));
  recent.set(1, 'm', record('2'));
  expect([recent.get(1, 'm')?.data, recent.get(2, 'm'), recent.get(1, 'n')]).toEqual(['2', undefined, undefined]);
  recent.set(1, 'm', undefined);
  expect(recent.get(1, 'm')).toBeUndefined();
});

test('a record that is not kept removes the one before: leased items, tombstones and long values', () => {
  const recent = new RecentItems();
  const others = [record('x'.repeat(5_000)), record('', { live: false }), record('1', { expiry: { kind: 'held', run: 1, graceMs: 5 } })];
  for (const other of others) {
    recent.set(1, 'm', record('1'));
    recent.set(1, 'm', other);
    expect(recent.get(1, 'm')).toBeUndefined();
  }
});

test('items that are used stay, and their number and their text are bounded', () => {
  for (const [many, text] of [
    [20_000, '1'],
    [5_000, 'x'.repeat(4_000)],
  ] as const) {
    const recent = new RecentItems();
    for (let n = 0; n < many; n++) {
      recent.set(n % 7, `m${n}`, record(text));
      recent.get(0, 'm0');
    }
    const kept = Array.from({ length: many }, (_, n) => recent.get(n % 7, `m${n}`)?.data.length ?? 0).filter((length) => length > 0);
    expect(recent.get(0, 'm0')).toBeDefined();
    expect(kept.length).toBeLessThan(4_200);
    expect(kept.reduce((sum, length) => sum + length, 0)).toBeLessThan(2_200_000);
  }
});

test('a deleted item does not come back from the older half of the memory', () => {
  const recent = new RecentItems();
  recent.set(1, 'm', record('1'));
  for (let n = 0; n < 2_500; n++) recent.set(1, `m${n}`, record('1'));
  expect(recent.get(1, 'm')?.data).toBe('1');
  recent.set(1, 'm', record('2'));
  recent.set(1, 'm', undefined);
  expect(recent.get(1, 'm')).toBeUndefined();
});
