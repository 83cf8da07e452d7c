import { expect, test } from 'vitest';
import type { BuiltStore } from '../../src/store-damage/built-store.js';
import { judge } from '../../src/store-damage/judge.js';
import { judgeSalvage, touchedPages } from '../../src/store-damage/judge-salvage.js';
import type { Observed, ObservedGroup } from '../../src/store-damage/observe.js';

const BUILT: BuiltStore = {
  data: Buffer.alloc(0),
  marker: Buffer.alloc(0),
  earlier: [],
  groups: [
    {
      stream: 's',
      group: 'g',
      items: [
        ['a', '1'],
        ['b', '2'],
      ],
      pages: [[2], [3, 4]],
      offset: 5,
    },
  ],
  keys: [{ stream: 's', group: 'g', key: 'k' }],
  epoch: 'e',
  removedOffset: 3,
};

const GROUP: ObservedGroup = {
  items: [
    ['a', '1'],
    ['b', '2'],
  ],
  gets: [{ data: '1' }, { data: '2' }],
  changes: ['item a 1', 'item b 2', 'tombstone c '],
  offset: 5,
  written: 6,
};

function observed(group: Partial<ObservedGroup>, rest: Partial<Observed> = {}): Observed {
  return { reports: [], streams: ['s'], groups: [{ ...GROUP, ...group }], keys: ['replayed'], removedOffset: 3, epoch: 'e', ...rest };
}

const REPORTED = { reports: ['store_item_damaged CORRUPT_ITEM'] };

test.each<[string, Observed]>([
  ['a wrong value', observed({ gets: [{ data: '1' }, { data: '1' }] }, REPORTED)],
  ['a wrong value in a list', observed({ items: [['a', '2']] }, REPORTED)],
  ['another order', observed({ items: [GROUP.items[1] as [string, string], GROUP.items[0] as [string, string]] }, REPORTED)],
  ['a wrong value in changes', observed({ changes: ['item a 0'] }, REPORTED)],
  ['a false tombstone', observed({ changes: ['tombstone a '] }, REPORTED)],
  ['a silent loss', observed({ gets: [{ data: '1' }, {}] })],
  ['a silent loss in a list', observed({ items: [['a', '1']] })],
  ['an offset that is given twice', observed({ written: 5 }, REPORTED)],
  ['a position that went back', observed({ offset: 4 }, REPORTED)],
  ['an error without a code', observed({ items: 'uncoded RangeError' }, REPORTED)],
  ['a key that is forgotten silently', observed({}, { keys: ['written'] })],
  ['a stream that is not listed', observed({}, { streams: [] })],
  ['a lower first offset', observed({}, { removedOffset: 2, ...REPORTED })],
  ['another epoch', observed({}, { epoch: 'f', ...REPORTED })],
  ['a refusal without a code', observed({}, { refusal: { code: 'uncoded', message: 'x' } })],
])('%s is a violation', (_, seen) => {
  expect(judge(BUILT, seen).verdict).toBe('violated');
});

test.each<[string, Observed, string]>([
  ['a sound store', observed({}), 'harmless'],
  ['a loss with a log line', observed({ items: [['a', '1']], gets: [{ data: '1' }, { code: 'CORRUPT_ITEM' }] }, REPORTED), 'reported'],
  ['a refusal with a code', observed({}, { refusal: { code: 'CORRUPT_STORE', message: 'x' } }), 'refused'],
])('%s is none', (_, seen, verdict) => {
  expect(judge(BUILT, seen)).toEqual({ verdict, violations: [] });
});

const SALVAGED = { groups: [BUILT.groups[0]?.items ?? []], unnamed: [], lostCount: 0, damagedRecords: 0, unconfirmed: 0 };

test('salvage counts items on undamaged pages, older values, and deleted items that came back', () => {
  const judged = (groups: (typeof SALVAGED)['groups'], ...touched: number[]) =>
    judgeSalvage(BUILT, new Set(touched), { ...SALVAGED, groups });
  expect(judged(SALVAGED.groups)).toMatchObject({ counts: { undamaged: 2, returned: 2, items: 2, returnedItems: 2 }, violations: [] });
  expect(judged([[['a', '1']]], 4)).toMatchObject({ counts: { undamaged: 1, returned: 1, items: 2, returnedItems: 1 } });
  expect(judged([[['b', '2']]], 4).counts).toMatchObject({ undamaged: 1, returned: 0, returnedItems: 1 });
  expect(
    judged([
      [
        ['a', '0'],
        ['b', '2'],
        ['c', '3'],
      ],
    ]).counts,
  ).toMatchObject({ returned: 1, older: 1, revived: 1 });
  expect(
    judged([
      [
        ['b', '2'],
        ['a', '1'],
      ],
    ]).violations,
  ).toEqual(['salvage has s/g in another order']);
  expect(judged([[['a', '0']]]).violations).toEqual(['salvage returned 1 older values, and reported 0']);
  const unnamed = { ...SALVAGED, groups: [[]], unnamed: BUILT.groups[0]?.items ?? [] };
  expect(judgeSalvage(BUILT, new Set(), unnamed).counts.returned).toBe(2);
  expect(judgeSalvage(BUILT, new Set(), { ...SALVAGED, refusal: 'uncoded x' }).violations).toHaveLength(1);
});

test('a page is touched when one of its bytes differs, or when it is cut off', () => {
  const built = Buffer.alloc(3 * 4_096, 1);
  const damaged = Buffer.from(built.subarray(0, 2 * 4_096 + 5));
  damaged[4_096] = 0;
  expect([...touchedPages(built, damaged)]).toEqual([1, 2]);
});
