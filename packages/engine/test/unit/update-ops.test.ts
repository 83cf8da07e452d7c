import { LIMITS } from '@rivulet/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyUpdateOps } from '../../src/core/builtins/update-apply.js';
import { parseUpdateOps, UPDATE_ERRORS_URL, type UpdateOp } from '../../src/core/builtins/update-ops.js';

type Raw = Readonly<Record<string, unknown>>;

function parse(raw: readonly unknown[]): readonly UpdateOp[] {
  const parsed = parseUpdateOps(raw);
  if (parsed.kind === 'invalid') throw new Error(parsed.message);
  return parsed.ops;
}

/** Applies operations to a value. `undefined` is the missing item. */
function update(old: unknown, ...raw: readonly Raw[]): { readonly value: unknown; readonly codes: readonly string[] } {
  const applied = applyUpdateOps(old === undefined ? undefined : JSON.stringify(old), parse(raw));
  return {
    value: applied.text === undefined ? undefined : JSON.parse(applied.text),
    codes: applied.errors.map(({ op_index, code }) => `${op_index} ${code}`),
  };
}

const becomes = (value: unknown) => ({ value, codes: [] });
/** The row of a skipped operation: the value stays, and a missing item stays missing. */
const fails = (code: string) => (old: unknown) => ({ value: old, codes: [`0 ${code}`] });
type Outcome = ReturnType<typeof becomes> | ReturnType<typeof fails>;

const OPS = ['set', 'merge', 'increment', 'decrement', 'append', 'remove'] as const;
/** Fields that each operation needs beside its path. */
const REST: Readonly<Record<(typeof OPS)[number], Raw>> = {
  set: { value: 1 },
  merge: { value: {} },
  increment: { by: 1 },
  decrement: { by: 1 },
  append: { value: 1 },
  remove: {},
};

const OBJECT = { n: 1, s: 'x', list: [1], o: { k: 1 }, none: null };
const STARTS = { fresh: undefined, object: OBJECT, array: [1], string: 'x', number: 7, null: null };
type Row = { readonly [Start in keyof typeof STARTS]: Outcome };

const always = (value: unknown): Row => ({
  fresh: becomes(value),
  object: becomes(value),
  array: becomes(value),
  string: becomes(value),
  number: becomes(value),
  null: becomes(value),
});
/** The row of an operation on a field. Only an object or a missing item has fields. */
const field = (value: Raw, code: string): Row => ({
  fresh: becomes(value),
  object: becomes({ ...OBJECT, ...value }),
  array: fails(code),
  string: fails(code),
  number: fails(code),
  null: fails(code),
});

const MATRIX: readonly (readonly [Raw, Row])[] = [
  [{ type: 'set', path: '', value: { v: 1 } }, always({ v: 1 })],
  [{ type: 'set', path: '' }, always(null)],
  [{ type: 'set', path: 'f', value: [5] }, field({ f: [5] }, 'set.target_not_object')],
  [{ type: 'set', path: 'f' }, field({ f: null }, 'set.target_not_object')],
  [{ type: 'merge', path: '', value: { f: 5 } }, field({ f: 5 }, 'merge.target_not_object')],
  [
    { type: 'merge', path: 'f', value: { v: 1 } },
    { ...always({ f: { v: 1 } }), object: becomes({ ...OBJECT, f: { v: 1 } }) },
  ],
  [
    { type: 'merge', path: ['f', 'g'], value: { v: 1 } },
    { ...always({ f: { g: { v: 1 } } }), object: becomes({ ...OBJECT, f: { g: { v: 1 } } }) },
  ],
  [
    { type: 'increment', path: '', by: 2 },
    {
      fresh: becomes(2),
      object: fails('increment.not_number'),
      array: fails('increment.not_number'),
      string: fails('increment.not_number'),
      number: becomes(9),
      null: fails('increment.not_number'),
    },
  ],
  [
    { type: 'decrement', path: '', by: 2 },
    {
      fresh: becomes(-2),
      object: fails('decrement.not_number'),
      array: fails('decrement.not_number'),
      string: fails('decrement.not_number'),
      number: becomes(5),
      null: fails('decrement.not_number'),
    },
  ],
  [{ type: 'increment', path: 'f', by: 2 }, field({ f: 2 }, 'increment.target_not_object')],
  [{ type: 'decrement', path: 'f', by: 2 }, field({ f: -2 }, 'decrement.target_not_object')],
  [
    { type: 'append', path: '', value: 'y' },
    {
      fresh: becomes('y'),
      object: fails('append.type_mismatch'),
      array: becomes([1, 'y']),
      string: becomes('xy'),
      number: fails('append.type_mismatch'),
      null: becomes('y'),
    },
  ],
  [
    { type: 'append', path: '', value: 5 },
    {
      fresh: becomes([5]),
      object: fails('append.type_mismatch'),
      array: becomes([1, 5]),
      string: fails('append.type_mismatch'),
      number: fails('append.type_mismatch'),
      null: becomes([5]),
    },
  ],
  [{ type: 'append', path: 'f', value: 'y' }, field({ f: 'y' }, 'append.target_not_object')],
  [{ type: 'append', path: ['f'], value: [5] }, field({ f: [[5]] }, 'append.target_not_object')],
  [{ type: 'append', path: ['f', 'g'], value: 'y' }, field({ f: { g: ['y'] } }, 'append.target_not_object')],
  [{ type: 'remove', path: '' }, always(null)],
  // A missing item from which nothing is removed stays missing.
  [
    { type: 'remove', path: 'f' },
    { ...field({}, 'remove.target_not_object'), fresh: becomes(undefined) },
  ],
  [
    { type: 'merge', path: '', value: {} },
    { ...field({}, 'merge.target_not_object'), fresh: becomes(undefined) },
  ],
  [
    { type: 'merge', path: 'f', value: {} },
    { ...always({ f: {} }), object: becomes({ ...OBJECT, f: {} }) },
  ],
];

describe('an operation on every kind of value', () => {
  const cells = MATRIX.flatMap(([op, row]) =>
    Object.entries(STARTS).map(([start, old]) => ({ op, start, old, outcome: row[start as keyof typeof STARTS] })),
  );

  it.each(cells)('SA-4 $op on $start', ({ op, old, outcome }) => {
    expect(update(old, op)).toStrictEqual(typeof outcome === 'function' ? outcome(old) : outcome);
  });
});

describe('an operation on a field that is there', () => {
  const old = { n: 1, s: 'x', list: [1], o: { k: 1 }, none: null, yes: true };
  const after = (field: Raw) => becomes({ ...old, ...field });
  const without = (key: string) => becomes(Object.fromEntries(Object.entries(old).filter(([each]) => each !== key)));

  it.each([
    [{ type: 'set', path: 'n', value: { v: 1 } }, after({ n: { v: 1 } })],
    [{ type: 'set', path: 'o' }, after({ o: null })],
    [{ type: 'increment', path: 'n', by: 2 }, after({ n: 3 })],
    [{ type: 'increment', path: 'n', by: -2 }, after({ n: -1 })],
    [{ type: 'increment', path: 'n', by: 0.5 }, after({ n: 1.5 })],
    [{ type: 'decrement', path: 'n', by: 2 }, after({ n: -1 })],
    [{ type: 'append', path: 's', value: 'y' }, after({ s: 'xy' })],
    [{ type: 'append', path: 'list', value: 'y' }, after({ list: [1, 'y'] })],
    [{ type: 'append', path: 'list', value: [2] }, after({ list: [1, [2]] })],
    [{ type: 'append', path: 'none', value: 'y' }, after({ none: 'y' })],
    [{ type: 'append', path: 'none', value: 5 }, after({ none: [5] })],
    [{ type: 'append', path: ['o', 'k2'], value: 'y' }, after({ o: { k: 1, k2: ['y'] } })],
    [{ type: 'append', path: ['s', 'k'], value: 5 }, after({ s: { k: [5] } })],
    [{ type: 'append', path: ['none', 'k'], value: 5 }, after({ none: { k: [5] } })],
    [{ type: 'merge', path: 'o', value: { k: 2, v: { w: 1 } } }, after({ o: { k: 2, v: { w: 1 } } })],
    [{ type: 'merge', path: ['o', 'k', 'deep'], value: { v: 1 } }, after({ o: { k: { deep: { v: 1 } } } })],
    [{ type: 'merge', path: 'list', value: { v: 1 } }, after({ list: { v: 1 } })],
    [{ type: 'merge', path: 's', value: {} }, after({ s: {} })],
    [{ type: 'remove', path: 'o' }, without('o')],
    [{ type: 'remove', path: 'none' }, without('none')],
  ])('SA-4 %j applies', (op, outcome) => {
    expect(update(old, op)).toStrictEqual(outcome);
  });

  it.each(['increment', 'decrement'])('SA-4 %s of anything but a number fails, of null too', (type) => {
    for (const path of ['s', 'list', 'o', 'none', 'yes']) {
      expect(update(old, { type, path, by: 1 })).toStrictEqual(fails(`${type}.not_number`)(old));
    }
  });

  it('SA-4 append to a number, a boolean or an object fails, and so does anything but a string to a string', () => {
    const mismatch = fails('append.type_mismatch')(old);
    for (const path of ['n', 'yes', 'o']) {
      expect(update(old, { type: 'append', path, value: 'y' })).toStrictEqual(mismatch);
      expect(update(old, { type: 'append', path, value: { k: 2 } })).toStrictEqual(mismatch);
    }
    for (const value of [5, null, ['y'], { y: 1 }]) expect(update(old, { type: 'append', path: 's', value })).toStrictEqual(mismatch);
  });

  it('SA-4 append to a nested leaf follows the kind of the leaf', () => {
    const nested = (leaf: unknown) => ({ a: { b: leaf } });
    const append = (leaf: unknown, value: unknown) => update(nested(leaf), { type: 'append', path: ['a', 'b'], value });
    expect(append([1], 2)).toStrictEqual(becomes(nested([1, 2])));
    expect(append('x', 'y')).toStrictEqual(becomes(nested('xy')));
    expect(append(null, 'y')).toStrictEqual(becomes(nested('y')));
    expect(append(null, 5)).toStrictEqual(becomes(nested([5])));
    for (const leaf of [1, true, { k: 1 }]) expect(append(leaf, 2)).toStrictEqual(fails('append.type_mismatch')(nested(leaf)));
    expect(append('x', 5)).toStrictEqual(fails('append.type_mismatch')(nested('x')));
  });

  it('SA-4 a sum that is not finite fails', () => {
    const most = { n: Number.MAX_VALUE };
    expect(update(most, { type: 'increment', path: 'n', by: Number.MAX_VALUE })).toStrictEqual(fails('increment.not_number')(most));
    const least = { n: -Number.MAX_VALUE };
    expect(update(least, { type: 'decrement', path: 'n', by: Number.MAX_VALUE })).toStrictEqual(fails('decrement.not_number')(least));
  });
});

describe('operations together', () => {
  it('SA-4 each sees the result of the one before, and one that fails is skipped', () => {
    const ops = [
      { type: 'set', path: 'n', value: 1 },
      { type: 'increment', path: 'n', by: 2 },
      { type: 'increment', path: 's', by: 1 },
      { type: 'increment', path: 'n', by: 3 },
      { type: 'append', path: 'n', value: 1 },
      { type: 'remove', path: 's' },
      { type: 'merge', value: { done: true } },
    ];
    expect(update({ s: 'x' }, ...ops)).toStrictEqual({
      value: { n: 6, done: true },
      codes: ['2 increment.not_number', '4 append.type_mismatch'],
    });
  });

  it('SA-4 a missing item is fresh until an op succeeds, failures before it notwithstanding', () => {
    const failing = { type: 'merge', value: 5 };
    expect(update(undefined, failing, { type: 'increment', by: 3 })).toStrictEqual({ value: 3, codes: ['0 merge.value.not_an_object'] });
    expect(update(undefined, failing, { type: 'append', value: 'y' })).toStrictEqual({
      value: 'y',
      codes: ['0 merge.value.not_an_object'],
    });
    expect(
      update(undefined, { type: 'set', path: 'a', value: 1 }, { type: 'increment', by: 3 }, { type: 'append', value: 1 }),
    ).toStrictEqual({
      value: { a: 1 },
      codes: ['1 increment.not_number', '2 append.type_mismatch'],
    });
  });

  it('SA-4 a missing item that an op leaves as it was is still missing: fresh for the next op, and not created in the end', () => {
    const idle = parse([
      { type: 'remove', path: 'a' },
      { type: 'merge', value: {} },
      { type: 'remove', path: 'b' },
      { type: 'merge', value: 5 },
    ]);
    expect(applyUpdateOps(undefined, idle)).toMatchObject({ text: undefined, changed: false, errors: [{ op_index: 3 }] });
    expect(applyUpdateOps(undefined, [...idle, ...parse([{ type: 'increment', by: 3 }])])).toMatchObject({ text: '3', changed: true });
    expect(applyUpdateOps(undefined, [...idle, ...parse([{ type: 'append', value: 'y' }])])).toMatchObject({ text: '"y"', changed: true });
    const gone = parse([
      { type: 'set', path: 'a', value: 1 },
      { type: 'remove', path: 'a' },
      { type: 'increment', by: 3 },
    ]);
    expect(applyUpdateOps(undefined, gone)).toMatchObject({ text: '{}', changed: true, errors: [{ code: 'increment.not_number' }] });
    for (const op of [
      { type: 'set', value: {} },
      { type: 'remove' },
      { type: 'set', path: 'a' },
      { type: 'increment', path: 'a', by: 0 },
    ]) {
      expect(applyUpdateOps(undefined, parse([op]))).toMatchObject({ changed: true });
    }
    expect(applyUpdateOps('{}', idle)).toMatchObject({ text: '{}', changed: false });
  });

  it('an item that is missing is not created when nothing succeeds, and one that is there is not written when nothing changes', () => {
    const failing = parse([{ type: 'merge', value: 5 }]);
    expect(applyUpdateOps(undefined, [])).toStrictEqual({ text: undefined, changed: false, errors: [] });
    expect(applyUpdateOps(undefined, failing)).toMatchObject({ text: undefined, changed: false });
    for (const ops of [[], failing, parse([{ type: 'set', path: 'a', value: 1 }]), parse([{ type: 'increment', path: 'a', by: 0 }])]) {
      expect(applyUpdateOps('{"a":1}', ops)).toMatchObject({ text: '{"a":1}', changed: false });
    }
    expect(applyUpdateOps(undefined, parse([{ type: 'set', value: {} }]))).toMatchObject({ text: '{}', changed: true });
    expect(applyUpdateOps('{"a":1}', parse([{ type: 'set', path: 'a', value: 2 }]))).toMatchObject({ text: '{"a":2}', changed: true });
  });

  it('the root may be written as an absent path, null or the empty string, and as [] where arrays are allowed', () => {
    for (const type of OPS) {
      const forms = [{}, { path: null }, { path: '' }, ...(type === 'merge' || type === 'append' ? [{ path: [] }] : [])];
      for (const path of forms) expect(parse([{ type, ...REST[type], ...path }])).toMatchObject([{ type, path: [] }]);
    }
  });

  it('a dot in a path is part of the key', () => {
    expect(update({ a: { b: 1 } }, { type: 'set', path: 'a.b', value: 2 })).toStrictEqual(becomes({ a: { b: 1 }, 'a.b': 2 }));
    expect(update({}, { type: 'merge', path: ['a.b', '0'], value: { v: 1 } })).toStrictEqual(becomes({ 'a.b': { 0: { v: 1 } } }));
  });
});

describe('limits', () => {
  const WITH_ARRAYS = ['merge', 'append'] as const;
  const code = (old: unknown, op: Raw) => update(old, op).codes;

  it.each(WITH_ARRAYS)('SA-5 %s takes 32 path segments and no more', (type) => {
    const segments = (count: number) => Array.from({ length: count }, (_, index) => `s${index}`);
    expect(code({}, { type, ...REST[type], path: segments(32) })).toEqual([]);
    expect(code({}, { type, ...REST[type], path: segments(33) })).toEqual([`0 ${type}.path.too_deep`]);
  });

  it.each(WITH_ARRAYS)('SA-5 %s takes no empty segment in an array', (type) => {
    for (const path of [[''], ['a', ''], ['', 'a']]) {
      expect(code({}, { type, ...REST[type], path })).toEqual([`0 ${type}.path.empty_segment`]);
    }
  });

  it.each(OPS)('SA-5 SA-6 %s takes a segment of 256 bytes and no more, in UTF-8', (type) => {
    const old = { ['x'.repeat(256)]: 1, ['é'.repeat(128)]: 1 };
    for (const path of ['x'.repeat(256), 'é'.repeat(128)]) {
      expect(code(type === 'append' ? {} : old, { type, ...REST[type], path })).toEqual([]);
    }
    for (const path of ['x'.repeat(257), 'é'.repeat(129), '€'.repeat(86)]) {
      expect(code({}, { type, ...REST[type], path })).toEqual([`0 ${type}.path.segment_too_long`]);
    }
  });

  it.each(OPS)('SA-5 %s takes no segment that names a prototype', (type) => {
    for (const path of ['__proto__', 'constructor', 'prototype']) {
      expect(code({}, { type, ...REST[type], path })).toEqual([`0 ${type}.path.proto_polluted`]);
    }
    expect(code({}, { type, ...REST[type], path: 'Constructor' })).toEqual([]);
  });

  it('SA-5 merge takes nothing but an object', () => {
    for (const value of [null, 5, 'text', true, [], [{}]]) {
      expect(code({}, { type: 'merge', value })).toEqual(['0 merge.value.not_an_object']);
    }
  });

  it('SA-5 merge takes 1024 keys and no more', () => {
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 0]));
    expect(code({}, { type: 'merge', value: keys(1_024) })).toEqual([]);
    expect(code({}, { type: 'merge', value: keys(1_025) })).toEqual(['0 merge.value.too_many_keys']);
  });

  it('SA-5 merge takes no top-level key that names a prototype; below, such a key is a key', () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      expect(code({}, { type: 'merge', value: JSON.parse(`{"a":1,"${key}":{}}`) })).toEqual(['0 merge.value.proto_polluted']);
      expect(code({}, { type: 'merge', value: JSON.parse(`{"a":{"${key}":1}}`) })).toEqual([]);
    }
  });

  it('SA-5 merge takes a value of 16 levels and no more; objects and arrays count, scalars do not', () => {
    const nested = (levels: number, open: string, close: string) =>
      JSON.parse(`{"a":${open.repeat(levels - 1)}1${close.repeat(levels - 1)}}`) as unknown;
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      expect(code({}, { type: 'merge', value: nested(16, open, close) })).toEqual([]);
      expect(code({}, { type: 'merge', value: nested(17, open, close) })).toEqual(['0 merge.value.too_deep']);
    }
  });

  it('SA-5 only the first failure of an op is reported: path depth, then segment by segment, then the merge value', () => {
    const long = 'x'.repeat(257);
    const polluted = JSON.parse('{"__proto__":1}') as Raw;
    const many = Object.fromEntries(Array.from({ length: 1_025 }, (_, index) => [`k${index}`, 0]));
    const deep = JSON.parse(`{"a":${'['.repeat(16)}${']'.repeat(16)}}`) as Raw;
    const cases: readonly (readonly [Raw, string])[] = [
      [{ path: ['', ...Array.from({ length: 32 }, () => long)], value: 5 }, 'path.too_deep'],
      [{ path: ['a', '', long, '__proto__'], value: 5 }, 'path.empty_segment'],
      [{ path: ['a', long, '', '__proto__'], value: 5 }, 'path.segment_too_long'],
      [{ path: ['a', '__proto__', '', long], value: 5 }, 'path.proto_polluted'],
      [{ path: ['a'], value: [polluted] }, 'value.not_an_object'],
      [{ path: ['a'], value: { ...many, ...polluted, ...deep } }, 'value.too_many_keys'],
      [{ path: ['a'], value: { ...deep, ...polluted } }, 'value.proto_polluted'],
      [{ path: ['a'], value: deep }, 'value.too_deep'],
    ];
    for (const [op, first] of cases) expect(code('text', { type: 'merge', ...op })).toEqual([`0 merge.${first}`]);
  });

  it('SA-5 the other ops of the call still apply, and each error says which op, which code and why', () => {
    const ops = parse([
      { type: 'set', path: 'a', value: 1 },
      { type: 'remove', path: 'constructor' },
      { type: 'increment', path: 'a', by: 1 },
      { type: 'append', path: ['a', ''], value: 1 },
      { type: 'append', path: 'a', value: 1 },
    ]);
    const { text, errors } = applyUpdateOps(undefined, ops);
    expect(text).toBe('{"a":2}');
    expect(errors).toEqual([
      { op_index: 1, code: 'remove.path.proto_polluted', message: expect.stringContaining('constructor'), doc_url: UPDATE_ERRORS_URL },
      { op_index: 3, code: 'append.path.empty_segment', message: expect.stringMatching(/\w/), doc_url: UPDATE_ERRORS_URL },
      { op_index: 4, code: 'append.type_mismatch', message: expect.stringMatching(/\w/), doc_url: UPDATE_ERRORS_URL },
    ]);
  });

  it('a value that would not fit into a message any more is not made', () => {
    const deepest = LIMITS.jsonDepth - 4;
    const levels = (count: number) => JSON.parse('['.repeat(count) + ']'.repeat(count)) as unknown;
    expect(code(undefined, { type: 'set', value: levels(deepest) })).toEqual([]);
    expect(code(undefined, { type: 'set', value: levels(deepest + 1) })).toEqual(['0 set.result_too_deep']);
    expect(code({}, { type: 'append', path: 'a', value: levels(deepest - 1) })).toEqual(['0 append.result_too_deep']);
  });
});

describe('SA-7 append', () => {
  it('SA-7 with a path of two segments replaces what is no object on the way, and starts an array', () => {
    expect(update({ a: [1] }, { type: 'append', path: ['a', 'b'], value: 42 })).toStrictEqual(becomes({ a: { b: [42] } }));
  });

  it('SA-7 of a string to a missing leaf starts an array when nested and a string when not', () => {
    expect(update({}, { type: 'append', path: ['a', 'b'], value: 'x' })).toStrictEqual(becomes({ a: { b: ['x'] } }));
    expect(update({}, { type: 'append', path: ['a'], value: 'x' })).toStrictEqual(becomes({ a: 'x' }));
    expect(update({}, { type: 'append', path: 'a', value: 'x' })).toStrictEqual(becomes({ a: 'x' }));
  });
});

describe('a wrong shape', () => {
  const good = { type: 'set', path: 'a', value: 1 };

  it.each([
    ...['Set', 'delete', '', 'constructor', '__proto__', null, 5, undefined, ['set']].map((type) => ({ ...good, type })),
    ...['increment', 'decrement'].flatMap((type) =>
      [undefined, null, '1', Number.NaN, Number.POSITIVE_INFINITY, [1], true].map((by) => ({ type, path: 'a', by })),
    ),
    ...['set', 'increment', 'decrement', 'remove'].flatMap((type) =>
      [[], ['a'], 5, {}, true].map((path) => ({ type, path, by: 1, value: 1 })),
    ),
    ...['merge', 'append'].flatMap((type) => [[1], ['a', null], [['a']], 5, {}, true].map((path) => ({ type, path, value: {} }))),
    { type: 'merge', path: 'a' },
    { type: 'append', path: 'a' },
    null,
    'set',
    ['set'],
    JSON.parse('{"__proto__":{"type":"set","path":"a"}}') as unknown,
  ])('SA-8 in one op fails the whole call: %j', (bad) => {
    expect(parseUpdateOps([good, bad, good])).toMatchObject({ kind: 'invalid', message: expect.stringMatching(/^ops\[1\]: /) });
  });

  it.each([undefined, null, {}, 'set', 5, good])('SA-8 of ops themselves fails the call: %j', (ops) => {
    expect(parseUpdateOps(ops)).toStrictEqual({ kind: 'invalid', message: 'ops must be an array' });
  });

  it('SA-8 of more ops than the limit fails the call', () => {
    const ops = (count: number) => parseUpdateOps(Array.from({ length: count }, () => good)).kind;
    expect([ops(0), ops(LIMITS.updateOps), ops(LIMITS.updateOps + 1)]).toEqual(['ops', 'ops', 'invalid']);
  });

  it('SA-8 repeats no more than 64 characters of what came in', () => {
    const parsed = parseUpdateOps([{ type: 'z'.repeat(100_000) }]);
    expect(parsed.kind === 'invalid' && parsed.message.length).toBeLessThan(100);
  });
});

describe('prototypes', () => {
  const unchanged = () => {
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted');
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  };

  it('SA-10 stay as they are whatever names them', () => {
    const ops = ['__proto__', 'constructor', 'prototype'].flatMap((name) => [
      { type: 'set', path: name, value: { polluted: 1 } },
      { type: 'merge', path: [name, 'prototype'], value: { polluted: 1 } },
      { type: 'merge', path: ['a', name], value: { polluted: 1 } },
      { type: 'merge', value: JSON.parse(`{"${name}":{"polluted":1}}`) },
      { type: 'merge', path: 'a', value: JSON.parse(`{"b":{"${name}":{"polluted":1}}}`) },
      { type: 'append', path: [name, 'polluted'], value: 1 },
      { type: 'increment', path: name, by: 1 },
      { type: 'remove', path: name },
    ]);
    update({}, ...ops);
    update(undefined, ...ops);
    unchanged();
  });

  it('SA-10 a stored key that names one is a key like any other, and outlives every op beside it', () => {
    const old = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"n":1}';
    const { text } = applyUpdateOps(
      undefined,
      parse([
        { type: 'set', value: JSON.parse(old) },
        { type: 'increment', path: 'n', by: 1 },
        { type: 'merge', value: { m: 1 } },
        { type: 'append', path: ['l', 'l'], value: 1 },
        { type: 'remove', path: 'm' },
      ]),
    );
    expect(text).toBe('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"n":2,"l":{"l":[1]}}');
    unchanged();
  });
});

describe('snapshots', () => {
  it('SA-11 a value that ops put in two places is changed in one of them only, and never in the ops', () => {
    const shared = { list: [1] };
    const ops = parse([
      { type: 'set', path: 'a', value: shared },
      { type: 'merge', path: 'b', value: shared },
      { type: 'append', path: ['a', 'list'], value: 2 },
      { type: 'merge', path: ['b', 'list'], value: { v: 3 } },
    ]);
    const first = applyUpdateOps(undefined, ops);
    expect(first.text).toBe('{"a":{"list":[1,2]},"b":{"list":{"v":3}}}');
    expect(shared).toStrictEqual({ list: [1] });
    expect(applyUpdateOps(undefined, ops)).toStrictEqual(first);
  });
});

describe('properties', () => {
  const key = fc.constantFrom('', 'a', 'b', 'c.d', '0', '__proto__', 'constructor', 'x'.repeat(257));
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.dictionary(key, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
    fc.constant(JSON.parse('['.repeat(59) + ']'.repeat(59)) as unknown),
  );
  const path = fc.oneof(key, fc.constant(null), fc.array(key, { maxLength: 4 }));
  const by = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(Number.MAX_VALUE, -0));
  const lawful = fc.oneof(
    fc.record({ type: fc.constantFrom('merge', 'append'), path, value }, { requiredKeys: ['type', 'value'] }),
    fc.record({ type: fc.constantFrom('set', 'remove'), path: key, value }, { requiredKeys: ['type'] }),
    fc.record(
      { type: fc.constantFrom('increment', 'decrement'), path: key, by: by.filter(Number.isFinite) },
      { requiredKeys: ['type', 'by'] },
    ),
  );
  const wild = fc.oneof(
    lawful,
    fc.record(
      { type: fc.oneof(fc.constantFrom<string>(...OPS), fc.jsonValue()), path: fc.oneof(path, fc.jsonValue()), value, by },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );
  const old = fc.option(
    fc.oneof(fc.dictionary(key, value, { maxKeys: 4 }), value).map((any) => JSON.stringify(any)),
    { nil: undefined },
  );
  const CODES = new RegExp(
    [
      '^(set|increment|decrement|append|remove|merge)\\.(target_not_object|result_too_deep|path\\.(segment_too_long|proto_polluted))$',
      '^(merge|append)\\.path\\.(too_deep|empty_segment)$',
      '^merge\\.value\\.(not_an_object|too_many_keys|proto_polluted|too_deep)$',
      '^(increment|decrement)\\.not_number$',
      '^append\\.type_mismatch$',
    ].join('|'),
  );

  function frozen<T>(any: T): T {
    if (typeof any === 'object' && any !== null) {
      for (const child of Object.values(any)) frozen(child);
      Object.freeze(any);
    }
    return any;
  }

  it('SA-8 any ops get an answer: lawful ops, or what is wrong with them', () => {
    fc.assert(
      fc.property(fc.oneof(fc.array(wild), fc.jsonValue()), (ops) => ['ops', 'invalid'].includes(parseUpdateOps(frozen(ops)).kind)),
      { numRuns: 1_000 },
    );
  });

  it('SA-11 any lawful ops on any value apply without a throw, change neither, and give the same again', () => {
    fc.assert(
      fc.property(old, fc.array(lawful, { maxLength: 8 }), (text, raw) => {
        // The input is frozen at all levels, so an assignment to any part of it throws.
        const ops = frozen(parse(frozen(raw)));
        const written = JSON.stringify(ops);
        const applied = applyUpdateOps(text, ops);
        expect(applyUpdateOps(text, ops)).toStrictEqual(applied);
        expect(JSON.stringify(ops)).toBe(written);
        expect(applied.errors.every(({ code, message }) => CODES.test(code) && message !== '')).toBe(true);
        expect(applied.text === undefined || JSON.stringify(JSON.parse(applied.text)) === applied.text).toBe(true);
        expect(applied.changed).toBe(applied.text !== text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('SA-4 ops in one call give what the same ops give in a call each', () => {
    fc.assert(
      fc.property(old, fc.array(lawful, { maxLength: 8 }), (start, raw) => {
        let text = start;
        const errors: unknown[] = [];
        for (const [index, op] of raw.entries()) {
          const applied = applyUpdateOps(text, parse([op]));
          errors.push(...applied.errors.map((error) => ({ ...error, op_index: index })));
          text = applied.text;
        }
        const together = applyUpdateOps(start, parse(raw));
        expect(together.text).toBe(text);
        expect(together.errors).toStrictEqual(errors);
      }),
      { numRuns: 500 },
    );
  });
});
