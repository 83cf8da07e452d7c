import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, test } from 'vitest';
import { CHANGE_FIELDS, encodeArgs, encodeKeys, SCRIPTS, WRITE } from '../../src/store/redis/scripts.js';
import { encodeOp } from '../../src/store/redis/write-ops.js';

/** The names that the header of a script gives to `KEYS[n]` or `ARGV[n]`, at their places. */
function named(text: string, table: 'KEYS' | 'ARGV'): string[] {
  const names: string[] = [];
  const line = new RegExp(`^(?:local (\\w+) = (?:tonumber\\()?${table}\\[(\\d+)\\]|-- ${table}\\[(\\d+)\\] is \`(\\w+)\`)`, 'gm');
  for (const [, local, place, silentPlace, silent] of text.matchAll(line)) names[Number(place ?? silentPlace) - 1] = local ?? silent ?? '';
  return names;
}

test.each(SCRIPTS.map((script) => [script.name, script] as const))(
  'the header of %s.lua names its arguments in the order of the list',
  (_name, script) => {
    expect(named(script.text, 'KEYS')).toEqual(script.keys);
    expect(named(script.text, 'ARGV')).toEqual(script.args);
  },
);

it('the fields of a change are encoded in the order in which write.lua unpacks them', () => {
  const [, locals, last] = /local ([\w, ]+) = unpack\(ARGV, first, first \+ (\d+)\)/.exec(WRITE.text) ?? [];
  expect(locals?.split(', ')).toEqual(CHANGE_FIELDS);
  expect(CHANGE_FIELDS.length).toBe(Number(last) + 1);
  const op = { kind: 'set', item: 'i', data: '{"id":7}', extra: 'anywhere', expiry: { kind: 'ttl', ms: 5 }, batch: 'b' } as const;
  expect(encodeOp(op, 100)).toEqual(['set', 'i', '{"id":7}', 'anywhere', '7', 'ttl', '105', 'b']);
  const held = { ...op, expiry: { kind: 'held', graceMs: 9 }, extra: '' } as const;
  expect(encodeOp(held, 100).slice(5, 7)).toEqual(['held', '9']);
  expect(encodeOp({ ...op, kind: 'event', item: undefined, expiry: undefined }, 100).slice(4, 7)).toEqual(['group', '', '0']);
});

it('keys and arguments are passed by name, and a key that is absent at the end is left out', () => {
  const script = { name: 'x', text: '', sha: '', keys: ['values', 'once'] as const, args: ['most', 'after'] as const };
  expect(encodeKeys(script, { once: undefined, values: 'v' })).toEqual(['v']);
  expect(encodeKeys(script, { once: 'o', values: 'v' })).toEqual(['v', 'o']);
  expect(encodeArgs(script, { after: 2, most: 1 }, ['more'])).toEqual(['1', '2', 'more']);
});

it('the package of the engine ships the scripts', () => {
  const root = join(import.meta.dirname, '../..');
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly files: readonly string[] };
  expect(files).toContain('src/store/redis/lua');
});
