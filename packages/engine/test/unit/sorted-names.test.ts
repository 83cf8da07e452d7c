import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { EVERYTHING, type PageBounds, pageInSlices, pageOf, SortedNames } from '../../src/structures/sorted-names.js';
import { TurnBudget } from '../../src/structures/turn-budget.js';

const name = fc.string({ maxLength: 4, unit: fc.constantFrom('a', 'b', '\uE000', '\u{1F642}', '"') });
const bounds = fc.record({
  after: fc.option(name, { nil: undefined }),
  limit: fc.constantFrom(1, 2, 7, Number.POSITIVE_INFINITY),
  chars: fc.constantFrom(1, 20, Number.POSITIVE_INFINITY),
});

function sortedSet(names: Iterable<string>, { after }: Pick<PageBounds, 'after'>): string[] {
  return [...new Set(names)].sort().filter((each) => after === undefined || each > after);
}

test('E9 sorted names give the pages of a sorted set', () => {
  const change = fc.record({ add: fc.boolean(), name });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), bounds, (changes, wanted) => {
      const names = new SortedNames();
      const model = new Set<string>();
      for (const { add, name: each } of changes) {
        if (add) names.add(each);
        else names.delete(each);
        if (add) model.add(each);
        else model.delete(each);
      }
      expect(names.size).toBe(model.size);
      expect(names.page(wanted)).toEqual(pageOf(sortedSet(model, wanted), wanted));
    }),
  );
});

test('E9 names that keep only one page give that page, and hold little more', () => {
  fc.assert(
    fc.property(fc.array(name, { maxLength: 60 }), bounds, (all, wanted) => {
      const names = new SortedNames(wanted);
      for (const each of all) names.add(each);
      expect(names.page(wanted)).toEqual(pageOf(sortedSet(all, wanted), wanted));
    }),
  );
  const few = new SortedNames({ after: undefined, limit: 10, chars: Number.POSITIVE_INFINITY });
  for (let n = 0; n < 5_000; n++) few.add(String((n * 7_919) % 5_000));
  expect(few.size).toBeLessThanOrEqual(12);
});

test('E9 many names stay sorted whatever the order in which they come', () => {
  const names = new SortedNames();
  const all = Array.from({ length: 20_000 }, (_, n) => String((n * 7_919) % 20_000));
  for (const each of all) names.add(each);
  const sorted = [...all].sort();
  expect([...names.from(undefined)]).toEqual(sorted);
  expect(names.page({ after: sorted[9_999], limit: 2, chars: 1_000 })).toEqual({ names: sorted.slice(10_000, 10_002), more: true });
  for (const each of all) names.delete(each);
  expect(names.size).toBe(0);
});

describe('a page in slices', () => {
  const turns = new TurnBudget(() => 0);
  const names = new SortedNames();
  for (let n = 0; n < 10_000; n++) names.add(`name ${String(n).padStart(5, '0')}`);

  it.each([
    ['all names', EVERYTHING],
    ['a limit', { ...EVERYTHING, limit: 5_000 }],
    ['a limit of one slice', { ...EVERYTHING, limit: 2_048 }],
    ['a bound of characters', { ...EVERYTHING, chars: 50_000 }],
    ['a bound below the first name', { ...EVERYTHING, chars: 1 }],
    ['a begin', { after: 'name 07999', limit: 3_000, chars: 1_000_000 }],
    ['nothing behind', { ...EVERYTHING, after: 'z' }],
  ])('is the page that is read at once: %s', async (_what, bounds) => {
    expect(await pageInSlices((slice) => names.page(slice), bounds, turns)).toEqual(names.page(bounds));
  });
});
