import { assert, json, property, string, stringMatching } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJson } from '../../src/json/format-json.js';

describe('formatting', () => {
  it('puts each value into a line, and leaves numbers and strings as they are', () => {
    const text = '{"big":12345678901234567890.10,"list":[1,{"a":"\\u00e9 {"}],"none":{},"empty":[ ],"x":null}';
    expect(formatJson(text)).toEqual({
      kind: 'ok',
      text: [
        '{',
        '  "big": 12345678901234567890.10,',
        '  "list": [',
        '    1,',
        '    {',
        '      "a": "\\u00e9 {"',
        '    }',
        '  ],',
        '  "none": {},',
        '  "empty": [],',
        '  "x": null',
        '}',
      ].join('\n'),
    });
  });

  it('gives every JSON text the layout of JSON.stringify', () => {
    assert(
      property(json(), (text) => {
        expect(formatJson(text)).toEqual({ kind: 'ok', text: JSON.stringify(JSON.parse(text), null, 2) });
      }),
    );
  });

  it('accepts the texts that JSON.parse accepts, and no others', () => {
    const accepts = (text: string) => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const nearJson = stringMatching(/^[[\]{},:"\\ \n0-9eE+.\-tfn'a-]{0,12}$/);
    assert(
      property(nearJson, (text) => {
        expect(formatJson(text).kind === 'ok').toBe(accepts(text));
      }),
      { numRuns: 5_000 },
    );
    assert(
      property(string(), (text) => {
        expect(formatJson(text).kind === 'ok').toBe(accepts(text));
      }),
    );
  });
});

describe('a fault', () => {
  it.each([
    ['', 1, 1, 'write a JSON value'],
    ['{"a":}', 1, 6, 'a value must stand here'],
    ['{"a": 1,\n "b" 2}', 2, 6, 'a colon must stand here'],
    ['[1,]', 1, 4, 'a value must stand here'],
    ['{"a":1,}', 1, 8, 'a name in double quotes must stand here'],
    ['{a: 1}', 1, 2, '"a" has no meaning in JSON; texts need double quotes'],
    ["['a']", 1, 2, 'strings need double quotes'],
    ['[1 2]', 1, 4, 'a comma or the closing bracket must stand here'],
    ['[01]', 1, 2, 'this is no number of JSON'],
    ['{"a": [1}', 1, 9, 'a comma or the closing bracket must stand here'],
    ['"a', 1, 1, 'this string is not closed, or has a character that needs a backslash'],
    ['[1', 1, 3, 'a comma or the closing bracket must stand here'],
    ['1 2', 1, 3, 'the value has ended before this'],
  ])('of %j is at line %d, column %d: %s', (text, line, column, message) => {
    expect(formatJson(text)).toEqual({ kind: 'fault', line, column, message });
  });

  it('is a nesting that the engine refuses', () => {
    expect(formatJson(`${'['.repeat(64)}${']'.repeat(64)}`).kind).toBe('ok');
    expect(formatJson(`${'['.repeat(65)}${']'.repeat(65)}`)).toMatchObject({ kind: 'fault', column: 65 });
  });
});
