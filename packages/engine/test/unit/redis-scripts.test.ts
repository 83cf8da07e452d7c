import { expect, it, test } from 'vitest';
import { RedisKeys } from '../../src/store/redis/keys.js';
import {
  CHANGE_FIELDS,
  encodeArgs,
  encodeGroupKeys,
  encodeKeys,
  OPENING_ARGS,
  READ,
  SCRIPTS,
  WRITE,
} from '../../src/store/redis/scripts.js';
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
    const opening = script.text.includes('local function beginReply()') ? OPENING_ARGS : [];
    expect(named(script.text, 'ARGV')).toEqual([...opening, ...script.args]);
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

it('keys and arguments are passed by name, and a key of the call that is absent is left out', () => {
  const script = { name: 'x', text: '', sha: '', keys: ['nodes', 'due'] as const, args: ['most', 'after'] as const };
  expect(encodeKeys(script, { due: 'd', nodes: 'n' })).toEqual(['n', 'd']);
  expect(encodeArgs(script, { after: 2, most: 1 }, ['more'])).toEqual(['1', '2', 'more']);
  const keys = new RedisKeys('p', '0').of({ stream: 's', group: 'g' });
  const names = [keys.shared.partition, keys.head, keys.values, keys.metas];
  expect(encodeGroupKeys(READ, keys, {})).toEqual(names);
  expect(encodeGroupKeys(READ, keys, { once: keys.once('k') })).toEqual([...names, keys.once('k')]);
  expect(encodeGroupKeys(WRITE, keys, {}).every((key) => typeof key === 'string')).toBe(true);
});
