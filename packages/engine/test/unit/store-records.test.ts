import { Random } from '@rivulet/testkit/random';
import { expect, test } from 'vitest';
import { LAST_NUMBER, numberAt, numbersKey } from '../../src/store/lmdb/tables/records.js';

test('a number has six bytes, the highest first, and one that does not fit is refused', () => {
  const random = new Random(1);
  const edges = [0, 1, 255, 256, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, LAST_NUMBER];
  const numbers = [...edges, ...Array.from({ length: 500 }, () => random.below(2 ** random.between(1, 48)))];
  const expected = Buffer.alloc(numbers.length * 6);
  for (const [index, number] of numbers.entries()) expected.writeUIntBE(number, index * 6, 6);
  expect(numbersKey(...numbers).equals(expected)).toBe(true);
  expect(numbers.map((_, index) => numberAt(expected, index))).toEqual(numbers);
  for (const number of [-1, LAST_NUMBER + 1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => numbersKey(number)).toThrow(RangeError);
});
