import fc from 'fast-check';
import { expect, it } from 'vitest';
import { exceedsKeys, LIMITS, SlicedJsonScan, scanJson } from '../../src/index.js';

const MOST_KEYS = 100;

function sliced(text: string, slices: readonly number[]) {
  const scan = new SlicedJsonScan(text, MOST_KEYS);
  for (let n = 0; ; n++) {
    const result = scan.next(slices[n % slices.length] ?? 1);
    if (result !== undefined) return result;
  }
}

const REFUSED = { kind: 'refused' };

/** Returns the result of both scans in one go. A text with several faults may be refused for any of them. */
function whole(text: string): object {
  const scan = scanJson(text);
  if (scan.kind === 'refused') return REFUSED;
  return exceedsKeys(text, MOST_KEYS) ? REFUSED : scan;
}

const slices = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
/** The length from which on keys are counted. */
const PADDING = ' '.repeat(16_384);

it('says of JSON what the scans in one go say, wherever the slices end', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), slices, fc.boolean(), (json, sizes, long) => {
      const text = long ? `${json}${PADDING}` : json;
      expect(sliced(text, sizes)).toMatchObject(whole(text));
    }),
    { numRuns: 300 },
  );
});

it('says the same of texts that are no JSON', () => {
  const pieces = ['"', '\\', '{', '}', '[', ']', ',', ':', ' ', '1', '-', '.5e400', '12345678901234567890', '"k"', '☃', '\n'];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 200 }), slices, fc.boolean(), (parts, sizes, long) => {
      const text = `${parts.join('')}${long ? PADDING : ''}`;
      expect(sliced(text, sizes)).toMatchObject(whole(text));
    }),
    { numRuns: 500 },
  );
});

const members = (count: number, name: (n: number) => string) => Array.from({ length: count }, (_, n) => `"${name(n)}" : ${n}`).join();

it.each([
  ['as many keys as may be', `{${members(MOST_KEYS, (n) => `k${n}`)}}`, 'ok'],
  ['one key more', `{${members(MOST_KEYS + 1, (n) => `k${n}`)}}`, 'refused'],
  ['the same key in many objects', `[${Array.from({ length: 1_000 }, () => '{"a":1}').join()}]`, 'ok'],
  ['one wide object of the same key', `{${members(128, () => 'a')}}`, 'refused'],
  ['as deep as may be', '['.repeat(LIMITS.jsonDepth) + ']'.repeat(LIMITS.jsonDepth), 'ok'],
  ['too deep', '['.repeat(LIMITS.jsonDepth + 1), 'refused'],
  ['as many values as may be', `[${'1,'.repeat(LIMITS.jsonNodes - 2)}1]`, 'ok'],
  ['one value more', `[${'1,'.repeat(LIMITS.jsonNodes - 1)}1]`, 'refused'],
])('holds the bounds: %s', (_what, text, kind) => {
  for (const size of [7, 1_000_000]) expect(sliced(`${text}${PADDING}`, [size])).toMatchObject({ kind });
  expect(whole(`${text}${PADDING}`)).toMatchObject({ kind });
});

it('takes a number of steps that grows with the text only', () => {
  for (const text of [`"${'\\"'.repeat(500_000)}"`, '1'.repeat(1_000_000), ' '.repeat(1_000_000), `"${'\\\\'.repeat(500_000)}"`]) {
    const scan = new SlicedJsonScan(text, MOST_KEYS);
    let steps = 1;
    while (scan.next(10_000) === undefined) steps++;
    expect(steps).toBeLessThanOrEqual(Math.ceil(text.length / 10_000) + 1);
  }
});
