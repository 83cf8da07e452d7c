import { decodeWorkerMessage, LIMITS } from '@rivulet/protocol';
import { describe, expect, it } from 'vitest';
import { applyUpdateOps } from '../../src/core/builtins/update-apply.js';
import { parseUpdateOps, type UpdateOp } from '../../src/core/builtins/update-ops.js';

type Raw = Readonly<Record<string, unknown>>;

function parse(raw: readonly Raw[]): readonly UpdateOp[] {
  const parsed = parseUpdateOps(raw);
  if (parsed.kind === 'invalid') throw new Error(parsed.message);
  return parsed.ops;
}

describe('what an update may grow a value to', () => {
  const tooLarge = expect.objectContaining({ code: 'VALUE_TOO_LARGE' });
  const append = (old: string, value: unknown) => applyUpdateOps(old, parse([{ type: 'append', value }]));

  it('is what the frame of a stream::set can carry: as many values, and no more', () => {
    const carried = (data: unknown) => {
      const input = { stream_name: 's', group_id: 'g', item_id: 'i', data };
      return decodeWorkerMessage(JSON.stringify({ type: 'invokefunction', function_id: 'stream::set', data: input })).kind;
    };
    const most = Array.from({ length: LIMITS.jsonNodes - 8 }, () => 0);
    const less = JSON.stringify(most.slice(1));
    expect([carried(most), carried([...most, 0])]).toEqual(['message', 'invalid']);
    expect(append(less, 0)).toMatchObject({ text: JSON.stringify(most), changed: true });
    expect(() => append(JSON.stringify(most), 0)).toThrow(tooLarge);
    expect(() => append(less, { a: 0 })).toThrow(tooLarge);
  });

  it.each([
    ['x', 1],
    ['é', 2],
    ['€', 3],
    ['🙂', 4],
  ])('is as many bytes as an item may have, and no more: %s', (character, bytes) => {
    const inside = LIMITS.valueBytes - '""'.length;
    const long = JSON.stringify(character.repeat(Math.floor(inside / bytes) - 1));
    const rest = 'y'.repeat(bytes + (inside % bytes));
    expect(Buffer.byteLength(append(long, rest).text ?? '')).toBe(LIMITS.valueBytes);
    expect(() => append(long, `${rest}y`)).toThrow(tooLarge);
  });

  it('is checked when all ops have applied: a value that is large in between may be small in the end', () => {
    const ops = parse([
      { type: 'set', path: 'a', value: 'x'.repeat(LIMITS.valueBytes) },
      { type: 'remove', path: 'a' },
    ]);
    expect(applyUpdateOps('{"b":1}', ops)).toStrictEqual({ text: '{"b":1}', changed: false, errors: [] });
  });
});

describe('a sum', () => {
  const sum = (old: unknown, op: Raw) => applyUpdateOps(JSON.stringify(old), parse([op]));

  it.each([
    [Number.MAX_SAFE_INTEGER, 1],
    [Number.MAX_SAFE_INTEGER - 1, 2],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [Number.MAX_SAFE_INTEGER, 0.1],
    [-Number.MAX_SAFE_INTEGER, 0.5],
    [2 ** 52 + 1, 0.75],
    // Earlier versions could store this value.
    [2 ** 53, 1],
    [1e300, 1],
    [0.5, 1e-20],
  ])('C8 that a double does not carry exactly fails: %d and %d', (n, by) => {
    for (const sign of [1, -1]) {
      const old = { n: sign * n };
      const failed = (type: string) => ({ changed: false, errors: [{ op_index: 0, code: `${type}.not_number` }] });
      expect(sum(old, { type: 'increment', path: 'n', by: sign * by })).toMatchObject(failed('increment'));
      expect(sum(old, { type: 'decrement', path: 'n', by: -sign * by })).toMatchObject(failed('decrement'));
      expect(sum(old.n, { type: 'increment', by: sign * by })).toMatchObject(failed('increment'));
    }
  });

  it.each([
    [Number.MAX_SAFE_INTEGER - 1, 1],
    [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [2 ** 52 - 1, 0.5],
    [1e300, 1e299],
    [0.1, 0.2],
    [5, -0],
  ])('C8 that a double carries is written: %d and %d', (n, by) => {
    expect(sum({ n }, { type: 'increment', path: 'n', by })).toMatchObject({ text: JSON.stringify({ n: n + by }), errors: [] });
  });
});

describe('cost', () => {
  const leaf = Array.from({ length: 98_000 }, (_, index) => index);
  const fields = Object.fromEntries(leaf.map((index) => [`k${index}`, index]));
  const SET_LEAF: Raw = { type: 'set', path: 'leaf', value: leaf };
  const MANY = Array.from({ length: LIMITS.updateOps }, (_, index) => index);

  it.each<[string, unknown, (index: number) => Raw]>([
    ['append to the root', leaf, (value) => ({ type: 'append', value })],
    ['append to a field', { leaf }, (value) => ({ type: 'append', path: 'leaf', value })],
    ['append to a nested leaf', { a: { b: { leaf } } }, (value) => ({ type: 'append', path: ['a', 'b', 'leaf'], value })],
    ['append to a list that an op has put there', {}, (index) => (index === 0 ? SET_LEAF : { type: 'append', path: 'leaf', value: index })],
    ['increment beside a long list', { leaf, n: 0 }, (by) => ({ type: 'increment', path: 'n', by })],
    ['increment of one of many fields', fields, () => ({ type: 'increment', path: 'k5', by: 1 })],
    ['set of one of many fields', fields, (value) => ({ type: 'set', path: 'k7', value })],
    ['merge into many fields', fields, (index) => ({ type: 'merge', value: { [`k${index}`]: { index } } })],
    ['merge below many fields', fields, (index) => ({ type: 'merge', path: ['k9', 'deep'], value: { [`k${index}`]: index } })],
    ['remove of many fields', fields, (index) => ({ type: 'remove', path: `k${index}` })],
  ])('is that of the value and the ops, not of their product: %s', (_, old, op) => {
    const text = JSON.stringify(old);
    const ops = parse(MANY.map(op));
    const times = [1, 2, 3].map(() => {
      // The time is that of this process. Other programs on the machine do not count.
      const started = process.cpuUsage();
      const { errors, changed } = applyUpdateOps(text, ops);
      const { user, system } = process.cpuUsage(started);
      const took = (user + system) / 1_000;
      expect({ errors, changed }).toEqual({ errors: [], changed: true });
      return took;
    });
    // The time is tens of milliseconds when an operation costs what it touches, and seconds when it visits the whole value.
    expect(times.sort((a, b) => a - b)[1]).toBeLessThan(300);
  });
});
