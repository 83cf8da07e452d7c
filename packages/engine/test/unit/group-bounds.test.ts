import { describe, expect, it } from 'vitest';
import { evictedBy, type Growth, growthOf } from '../../src/store/shared/group-bounds.js';

const set = (item: string, data: string, old?: string) => ({
  change: { item },
  old,
  effect: { kind: 'write', effect: old === undefined ? 'create' : 'update', data } as const,
});
const remove = (item: string, old: string) => ({ change: { item }, old, effect: { kind: 'remove', data: old } as const });
const items = (count: number, data = '1') => Array.from({ length: count }, (_, index) => ({ item: `i${index}`, data }));
const size = (list: readonly { readonly item: string; readonly data: string }[]) => ({
  items: list.length,
  bytes: list.reduce((sum, { item, data }) => sum + item.length + data.length, 0),
});

describe('the growth by a write', () => {
  it('is that of its last effect on each item', () => {
    const growth = growthOf([
      set('a', '12'),
      set('a', '1234', '12'),
      set('b', '1'),
      remove('b', '1'),
      set('é', '1', '123'),
      remove('old', '1'),
    ]);
    expect([growth.items, growth.bytes]).toEqual([0, 5 - 2 - 4]);
    expect(growth.written).toEqual({ items: 2, bytes: 5 + 3 });
    expect(['a', 'b', 'old', 'c'].map((item) => growth.touches(item))).toEqual([true, true, true, false]);
  });

  it('is nothing for events and for changes without effect', () => {
    const growth = growthOf([
      { change: {}, old: undefined, effect: { kind: 'publish', effect: 'event', data: '1' } },
      { change: { item: 'a' }, old: '1', effect: { kind: 'none' } },
    ]);
    expect([growth.items, growth.bytes, growth.written.items]).toEqual([0, 0, 0]);
  });
});

describe('the items that leave a full group', () => {
  const old = items(10);
  const evicted = (bounds: Parameters<typeof evictedBy>[0], growth: Growth, most?: number) =>
    evictedBy(bounds, size(old), growth, () => old, most).map(({ item }) => item);

  it('are the oldest ones that the write does not touch', () => {
    expect(evicted({ maxItems: 9, onFull: 'delete_oldest' }, growthOf([set('new', '1'), set('i0', '2', '1')]))).toEqual(['i1', 'i2']);
    expect(evicted({ maxBytes: 30, onFull: 'delete_oldest' }, growthOf([set('new', '1')]))).toEqual(['i0', 'i1']);
    expect(evicted({ maxItems: 10, onFull: 'delete_oldest' }, growthOf([set('i0', '2', '1')]))).toEqual([]);
  });

  it('are none for a write that only deletes, and for a full group that refuses', () => {
    expect(evicted({ maxItems: 5, onFull: 'delete_oldest' }, growthOf([remove('i3', '1')]))).toEqual([]);
    expect(evicted({ maxItems: 5, onFull: 'refuse' }, growthOf([remove('i3', '1'), set('new', '1')]))).toEqual([]);
  });

  it('are at most as many as the step allows, and about 4 MiB of values', () => {
    expect(evicted({ maxItems: 1, onFull: 'delete_oldest' }, growthOf([set('new', '1')]), 3)).toEqual(['i0', 'i1', 'i2']);
    const large = items(10, 'x'.repeat(3_000_000));
    const found = evictedBy({ maxItems: 1, onFull: 'delete_oldest' }, size(large), growthOf([set('new', '1')]), () => large);
    expect(found).toHaveLength(2);
  });

  it('are read only as far as needed', () => {
    let read = 0;
    const reading = function* () {
      for (const item of old) {
        read++;
        yield item;
      }
    };
    evictedBy({ maxItems: 10, onFull: 'delete_oldest' }, size(old), growthOf([set('new', '1')]), reading);
    evictedBy({ maxItems: 20, onFull: 'delete_oldest' }, size(old), growthOf([set('new', '1')]), reading);
    expect(read).toBe(1);
  });

  it.each([
    [{ maxItems: 10, onFull: 'refuse' }, [set('new', '1')], 'max_items is 10, and it would have 11'],
    [{ maxBytes: 30, onFull: 'refuse' }, [set('i0', '12', '1')], 'max_bytes is 30, and it would have 31'],
    [{ maxItems: 1, onFull: 'delete_oldest' }, [set('a', '1'), set('b', '1')], 'max_items is 1, and this write alone has 2'],
    [{ maxBytes: 4, onFull: 'delete_oldest' }, [set('a', '1234')], 'max_bytes is 4, and this write alone has 5'],
  ] as const)('%j refuses what does not fit, and says by how much', (bounds, steps, message) => {
    expect(() => evicted(bounds, growthOf(steps))).toThrow(`the group is full: ${message}`);
  });
});
