import { expect, it } from 'vitest';
import {
  convertedKey,
  type Fields,
  type Keys,
  key,
  optionalKey,
  readFields,
  schemaOf,
  specialKey,
  writeKeys,
} from '../../src/config/keys/key.js';
import { flag, functionId, optionalRate, wholeNumber } from '../../src/config/keys/value-schemas.js';

const TABLE = {
  pageSize: key('page_size', wholeNumber(100, 1, 1_000), 'Items of one page'),
  hook: key('hook_function', functionId, 'A function'),
  rate: optionalKey('max_rate', optionalRate(10), 'A rate'),
  slots: convertedKey('slot_limit', wholeNumber(0, 0, 10), 'Slots', { read: (limit) => limit + 1, write: (slots) => slots - 1 }),
  token: specialKey('token', flag(false), 'A secret'),
} as const satisfies Keys;

const read = (section: Readonly<Record<string, unknown>>): Fields<typeof TABLE> => readFields(TABLE, schemaOf(TABLE).parse(section));

it('one entry of a table gives the default, the check, the field and the printed key', () => {
  const fields = read({});
  expect(fields).toEqual({ pageSize: 100, hook: undefined, rate: undefined, slots: 1 });
  expect(writeKeys(TABLE, fields, {})).toEqual({ page_size: 100, hook_function: null, slot_limit: 0 });
  expect(() => read({ page_size: 0 })).toThrow('a whole number from 1 to 1000');
  expect(() => read({ pageSize: 5 })).toThrow('pageSize');
});

it('a printed section gives the same fields again, special keys in the order of the table', () => {
  const fields = read({ page_size: 7, hook_function: 'app::hook', max_rate: 0, slot_limit: 9, token: true });
  const printed = writeKeys(TABLE, fields, { token: '***' });
  expect(Object.entries(printed)).toEqual([
    ['page_size', 7],
    ['hook_function', 'app::hook'],
    ['max_rate', 0],
    ['slot_limit', 9],
    ['token', '***'],
  ]);
  expect(read({ ...printed, token: false })).toEqual(fields);
});

it('an empty key counts as none', () => {
  expect(read({ hook_function: null, max_rate: null })).toMatchObject({ hook: undefined, rate: undefined });
});
