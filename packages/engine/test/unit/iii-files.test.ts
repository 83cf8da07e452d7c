import { describe, expect, it } from 'vitest';
import { textOfIiiFile } from '../../src/tools/iii/iii-file.js';
import { rawEntries } from '../../src/tools/iii/raw-entries.js';

/** Returns a file of the original engine with this text. */
function fileOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= 8) return Buffer.concat([bytes, Buffer.alloc(8 - bytes.length, 0xff)]);
  const padded = Math.ceil(bytes.length / 4) * 4;
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE((bytes.length & 0x3f) | 0x80 | ((bytes.length >>> 6) << 8), 0);
  trailer.writeInt32LE(-padded, 4);
  return Buffer.concat([bytes, Buffer.alloc(padded - bytes.length), trailer]);
}

describe('a file of the original engine', () => {
  it.each(['{}', '{"a":1}', '{"a":12}', '{"ab":12}', `{"a":"${'x'.repeat(300_000)}"}`, '{"ü":"😀"}'])('has its text: %.20s', (text) => {
    expect(textOfIiiFile(fileOf(text))).toBe(text);
  });

  it.each([Buffer.alloc(0), Buffer.alloc(7), Buffer.alloc(64), Buffer.from('x'.repeat(200)), fileOf('{"abcdef":12}').subarray(1)])(
    'of another form has none',
    (bytes) => {
      expect(textOfIiiFile(bytes)).toBeUndefined();
    },
  );
});

describe('the members of a JSON object', () => {
  it('come in the order of the text, with their own text', () => {
    const text = ' { "2" : [1, {"a":"}"}] , "1":9007199254740993,"a\\"b":"x,\\"y", "__proto__": null, "1": {} } ';
    expect(rawEntries(text)).toEqual([
      { key: '2', text: '[1, {"a":"}"}]' },
      { key: '1', text: '9007199254740993' },
      { key: 'a"b', text: '"x,\\"y"' },
      { key: '__proto__', text: 'null' },
      { key: '1', text: '{}' },
    ]);
    expect(rawEntries('{}')).toEqual([]);
  });

  it.each(['', '[]', 'null', '{"a":1', '1'])('%j has none', (text) => {
    expect(rawEntries(text)).toBeUndefined();
  });
});
