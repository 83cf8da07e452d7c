import { expect, it } from 'vitest';
import { ChangeRing } from '../../src/streams/live/change-ring.js';

const change = (offset: number) => ({ kind: 'update', id: 'a', data: offset, offset }) as const;

it('returns its entries, the newest first', () => {
  const ring = new ChangeRing(3);
  expect(ring.newest()).toEqual([]);
  ring.add(change(1), 10);
  ring.add({ kind: 'gap', after: 1, through: 4 }, 20);
  expect(ring.newest()).toEqual([
    { kind: 'gap', after: 1, through: 4, number: 1, atMs: 20 },
    { ...change(1), number: 0, atMs: 10 },
  ]);
});

it('keeps the newest entries only, and counts all', () => {
  const ring = new ChangeRing(200);
  for (let offset = 1; offset <= 5_000; offset++) ring.add(change(offset), 0);
  const entries = ring.newest();
  expect(entries).toHaveLength(200);
  expect(entries.map(({ number }) => number)).toEqual(Array.from({ length: 200 }, (_, index) => 4_999 - index));
  expect(ring.count).toBe(5_000);
});
