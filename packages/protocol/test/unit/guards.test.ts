import { describe, expect, it } from 'vitest';
import { parseJson, percentDecode, percentEncode, wellFormed } from '../../src/json/guards.js';

const STRANGE = [
  '',
  '\ud800',
  '\udfff',
  '\udc00\ud800',
  'a\ud83d',
  '\ud83d\ude00',
  '\u0000',
  '\ufeff',
  '%',
  '%zz',
  '%ed%a0%80',
  '__proto__',
  'é'.repeat(9),
];

describe('the guards', () => {
  it.each(STRANGE)('take %j', (text) => {
    expect(percentDecode(percentEncode(text))).toBe(wellFormed(text));
    expect(() => percentDecode(text)).not.toThrow();
    expect(() => parseJson(text)).not.toThrow();
    expect(Buffer.from(wellFormed(text)).toString()).toBe(Buffer.from(text).toString());
  });

  it('answer undefined for what they refuse, and the value for everything else', () => {
    expect([parseJson('null'), parseJson('{'), parseJson('')]).toEqual([null, undefined, undefined]);
    expect([percentDecode('a%20b'), percentDecode('%'), percentDecode('%ed%a0%80')]).toEqual(['a b', undefined, undefined]);
  });
});
