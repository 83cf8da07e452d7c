import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundedText } from '../../src/core/builtins/bounded-text.js';

test('a bounded text is what JSON writes', () => {
  const member = fc.oneof(fc.jsonValue(), fc.constant(undefined), fc.array(fc.oneof(fc.jsonValue(), fc.constant(undefined))));
  fc.assert(
    fc.property(fc.dictionary(fc.string(), member), (value) => {
      expect(boundedText(value, 1_000_000)).toBe(JSON.stringify(value));
    }),
  );
});

test('E8 E9 a list that is too long is refused before all of it is written', () => {
  let written = 0;
  const row = {
    toJSON() {
      written++;
      return 'x'.repeat(30_000);
    },
  };
  const rows = Array.from({ length: 4_000 }, () => row);
  expect(() => boundedText({ functions: rows }, 1_000_000)).toThrow(expect.objectContaining({ code: 'RESULT_TOO_LARGE' }));
  expect(written).toBeLessThan(40);
});
