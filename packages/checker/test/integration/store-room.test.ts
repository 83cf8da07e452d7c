import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { measureRoom, ROOM_CASES } from '../../src/store-room/measure.js';

const PAGE = readFileSync(new URL('../../../../docs/store.md', import.meta.url), 'utf8');
/** The numbers of the page are those of 100,000 records. Fewer records share fewer pages, so they cost a little more. */
const RECORDS = 5_000;
const TOLERANCE = 0.2;

const rows = new Map(
  [...PAGE.matchAll(/^\| (an? (?:deleted )?(?:item|idempotency key)\b.+) \| (\d+) \|$/gm)].map(([, name = '', bytes]) => [
    name,
    Number(bytes),
  ]),
);

test('docs/store.md has a row for each case', () => {
  expect([...rows.keys()]).toEqual(ROOM_CASES.map(({ name }) => name));
});

test.each(ROOM_CASES)('$name: the bytes in docs/store.md are right', async (each) => {
  const { bytes } = await measureRoom(each, RECORDS);
  const documented = rows.get(each.name) ?? 0;
  expect(bytes / documented).toBeGreaterThan(1 - TOLERANCE);
  expect(bytes / documented).toBeLessThan(1 + TOLERANCE);
});

test('the records of a tombstone and of a key have the bytes of the formulas', async () => {
  const [small] = ROOM_CASES;
  const keys = ROOM_CASES.at(-1);
  if (small === undefined || keys === undefined) throw new Error('there are no cases');
  const names = 'chat'.length + 'room-1'.length;
  const tombstone = 101 + 2 * 8 + names;
  const key = 89 + 2 * (names + 32) + 40;
  expect(PAGE).toContain(`In the first row these are ${tombstone} bytes`);
  for (const [each, formula, most] of [
    [small, tombstone, 2],
    [keys, key, 1.7],
  ] as const) {
    const { bytes } = await measureRoom(each, RECORDS);
    expect(bytes).toBeGreaterThan(formula);
    expect(bytes).toBeLessThan(most * formula);
  }
});
