import { anything, assert, property } from 'fast-check';
import { expect, it } from 'vitest';
import { listText } from '../../src/json/list-text.js';
import { preview } from '../../src/json/preview.js';

it('is the value in one line', () => {
  expect(preview({ text: 'hi', tags: ['a', 1, null, true], none: {} }, 100)).toBe(
    '{"text": "hi", "tags": ["a", 1, null, true], "none": {}}',
  );
});

it('ends after the wanted length, also within a long text', () => {
  expect(preview({ text: 'x'.repeat(1_000) }, 12)).toBe('{"text": "xx…');
  expect(preview('y'.repeat(1_000_000), 5)).toBe('"yyyy…');
});

it('reads only as much of a large value as it shows', () => {
  let reads = 0;
  const endless = new Proxy([], {
    get: (target, name) => {
      if (name === 'length') return 1_000_000;
      if (typeof name === 'string' && /^\d+$/.test(name)) reads++;
      return Reflect.get(target, name) as unknown;
    },
  });
  expect(preview(endless, 40)).toHaveLength(41);
  expect(reads).toBeLessThan(40);
});

it('is bounded for any value', () => {
  assert(
    property(anything({ withObjectString: false }), (value) => {
      expect(preview(value, 30).length).toBeLessThanOrEqual(31);
    }),
  );
});

it('a value that a list leaves out is not shown as null', () => {
  expect(listText(null, undefined)).toBe('null');
  expect(listText(null, 70_000)).toBe('70,000 characters; open the item to see them');
});
