import { describe, expect, it, test } from 'vitest';
import { wrongOption } from '../../src/wrong-option.js';

const RULES = {
  token: 'a string or null',
  persist: 'a string or an object',
  as: '"protocol" or "query"',
  retries: 'a number from -1',
  waitMs: 'a number from 0 to 2147483647',
  insecure: 'a boolean',
  onWarning: 'a function',
};

describe('the names of options', () => {
  it('an unknown option is named with the nearest known one, or with all', () => {
    expect(wrongOption({ token: 'a' }, RULES)).toBeUndefined();
    expect(wrongOption({ tokn: 1 }, RULES)).toBe('unknown option "tokn"; did you mean "token"?');
    expect(wrongOption({ zzzzz: undefined }, { token: 'a string', persist: 'a string' })).toBe(
      'unknown option "zzzzz"; known: token, persist',
    );
  });

  it.each(['constructor', 'toString', '__proto__'])('%s is as unknown as any other name', (name) => {
    expect(wrongOption(Object.defineProperty({}, name, { value: 1, enumerable: true }), RULES)).toMatch(`unknown option "${name}"`);
  });
});

describe('the values of options', () => {
  test.each<[keyof typeof RULES, unknown]>([
    ['token', 'a'],
    ['token', ''],
    ['token', null],
    ['token', undefined],
    ['persist', 'a'],
    ['persist', {}],
    ['as', 'query'],
    ['retries', -1],
    ['retries', Number.POSITIVE_INFINITY],
    ['waitMs', 0],
    ['waitMs', 2_147_483_647],
    ['insecure', false],
    ['onWarning', () => {}],
    ['onWarning', class {}],
    ['onWarning', undefined],
  ])('%s may be %s', (name, value) => {
    expect(wrongOption({ [name]: value }, RULES)).toBeUndefined();
  });

  test.each<[keyof typeof RULES, unknown]>([
    ['token', 1],
    ['persist', null],
    ['persist', true],
    ['as', 'header'],
    ['as', 1],
    ['retries', -2],
    ['retries', '3'],
    ['waitMs', '1000'],
    ['waitMs', Number.NaN],
    ['waitMs', -1],
    ['waitMs', Number.POSITIVE_INFINITY],
    ['waitMs', 1n],
    ['insecure', 'yes'],
    ['insecure', 1],
    ['onWarning', 'console'],
    ['onWarning', null],
    ['onWarning', Symbol('s')],
  ])('%s must not be %s', (name, value) => {
    expect(wrongOption({ [name]: value }, RULES)).toBe(`option "${name}" must be ${RULES[name]}`);
  });
});
