import { describe, expect, it } from 'vitest';
import type { NewOp, ShownItem } from '../../src/history/op.js';
import { INVARIANTS } from '../../src/invariants/all.js';
import { check, describeViolation } from '../../src/invariants/invariant.js';
import { describeState } from '../../src/state-hash.js';
import { historyOf } from '../history.js';

const G = { g: 's/g', e: 'e1' } as const;
const join = (p = 'c0', more: { e?: string; s?: number; item?: string } = {}): NewOp => ({
  p,
  type: 'invoke',
  f: 'join',
  g: G.g,
  who: 'u',
  ...more,
});
const snapshot = (
  s: number,
  items: readonly ShownItem[] = [],
  more: { p?: string; e?: string; reset?: string; ts?: number } = {},
): NewOp => ({
  p: 'c0',
  type: 'ok',
  f: 'snapshot',
  ...G,
  s,
  ...describeState(items),
  ...more,
});
const recv = (s: number, more: Partial<Extract<NewOp, { f: 'recv' }>> = {}): NewOp => ({
  p: 'c0',
  type: 'ok',
  f: 'recv',
  ...G,
  s,
  op: 'update',
  k: 'a',
  v: `w.${s}`,
  via: 'sdk',
  ...more,
});
const commit = (s: number, more: Partial<Extract<NewOp, { f: 'commit' }>> = {}): NewOp => ({
  p: 'store',
  type: 'ok',
  f: 'commit',
  ...G,
  s,
  op: 'update',
  k: 'a',
  v: `w.${s}`,
  ...more,
});
const set = (type: 'invoke' | 'ok' | 'fail' | 'info', n: number, more: { p?: string; s?: number; e?: string; k?: string } = {}): NewOp => ({
  p: 'w',
  type,
  f: 'set',
  g: G.g,
  k: 'a',
  v: `w.${n}`,
  ...(more.s === undefined ? {} : { e: 'e1' }),
  ...more,
});
const written = (n: number): NewOp[] => [set('invoke', n), set('ok', n, { s: n })];
const final = (s: number, items: readonly ShownItem[], changed: readonly number[], e = 'e1'): NewOp => ({
  p: 'disk',
  type: 'ok',
  f: 'final',
  g: G.g,
  e,
  s,
  ...describeState(items),
  changed,
});
const mirror = (s: number, items: readonly ShownItem[], p = 'c0'): NewOp => ({
  p,
  type: 'ok',
  f: 'mirror',
  ...G,
  s,
  ...describeState(items),
});
const nemesis = (verb: Extract<NewOp, { f: 'nemesis' }>['verb']): NewOp => ({ p: 'nem', type: 'info', f: 'nemesis', verb });
const resumed = (mode: 'tail' | 'changes', from: number, to: number): NewOp => ({
  p: 'c0',
  type: 'ok',
  f: 'resumed',
  ...G,
  mode,
  from,
  to,
});
const caughtUp = (s: number): NewOp => ({ p: 'c0', type: 'ok', f: 'caught_up', ...G, s });
const call = (f: 'call' | 'exec' | 'answer', type: 'invoke' | 'ok' | 'info', v?: string): NewOp => ({
  p: 'w',
  type,
  f,
  call: 'c1',
  ...(v === undefined ? {} : { v }),
});
const MIB = 1024 * 1024;
const held = (mib: number): NewOp => ({ p: 'engine', type: 'ok', f: 'sample', values: { heldBytes: mib * MIB } });
const anonymous = (mib: number): NewOp => ({ p: 'engine', type: 'ok', f: 'sample', values: { anonymousBytes: mib * MIB } });
const sample = (descriptors: number): NewOp => ({ p: 'engine', type: 'ok', f: 'sample', values: { descriptors } });
const right = (f: 'grant' | 'revoke'): NewOp => ({ p: 'authz', type: 'info', f, who: 'u', g: G.g });

/** A correct run in which every kind of operation occurs. */
const GOOD: readonly NewOp[] = [
  right('grant'),
  join(),
  set('invoke', 1),
  commit(1, { op: 'create', created: 1 }),
  set('ok', 1, { s: 1 }),
  snapshot(1, [['a', 'w.1', 1]], { ts: 10 }),
  { p: 'engine', type: 'ok', f: 'entered', sub: 'c0.1' },
  set('invoke', 2),
  commit(2),
  recv(2, { ts: 11 }),
  recv(2, { via: 'wire' }),
  set('ok', 2, { s: 2 }),
  { p: 'w', type: 'invoke', f: 'send', g: G.g, k: 'a', v: 'w.3' },
  commit(3, { op: 'event', v: 'w.3' }),
  { p: 'w', type: 'ok', f: 'send', g: G.g, k: 'a', v: 'w.3', e: 'e1', s: 3 },
  nemesis('reset'),
  { p: 'c0', type: 'info', f: 'close', g: G.g, who: 'u' },
  { p: 'engine', type: 'ok', f: 'left', sub: 'c0.1' },
  { p: 'w', type: 'invoke', f: 'set', g: G.g, k: 'b', v: 'w.4' },
  commit(4, { op: 'create', k: 'b', v: 'w.4', created: 4 }),
  { p: 'w', type: 'ok', f: 'set', g: G.g, k: 'b', v: 'w.4', e: 'e1', s: 4 },
  join('c0', { e: 'e1', s: 2 }),
  resumed('changes', 2, 4),
  { p: 'c0', type: 'ok', f: 'gap', g: G.g, after: 2, through: 4 },
  recv(4, { k: 'b', v: 'w.4', op: 'create', compacted: true }),
  caughtUp(4),
  mirror(4, [
    ['a', 'w.2', 1],
    ['b', 'w.4', 4],
  ]),
  // The store is unavailable and then available again.
  caughtUp(4),
  set('invoke', 5),
  set('fail', 5),
  call('call', 'invoke'),
  call('exec', 'ok', 'r'),
  call('answer', 'ok'),
  call('call', 'ok', 'r'),
  nemesis('heal'),
  sample(3),
  sample(4),
  held(20),
  held(30),
  held(34),
  // A young process needs memory for its garbage.
  ...Array.from({ length: 44 }, (_, n) => anonymous(50 + 3 * n)),
  sample(3),
  nemesis('quiet'),
  mirror(4, [
    ['a', 'w.2', 1],
    ['b', 'w.4', 4],
  ]),
  final(
    4,
    [
      ['a', 'w.2', 1],
      ['b', 'w.4', 4],
    ],
    [2, 4],
  ),
];

/** Violations: the invariant, a description, the shortest history, and the numbers of the operations that the report must name. */
const BAD: readonly (readonly [id: string, what: string, ops: readonly NewOp[], named: readonly number[]])[] = [
  ['I1', 'an acknowledged write is not in the store', [...written(2), final(1, [['a', 'w.1', 1]], [1])], [2, 3]],
  ['I1', 'the store has no item of an acknowledged write', [...written(2), final(2, [], [])], [2, 3]],
  ['I1', 'an epoch vanishes without a cause', [...written(2), final(2, [['a', 'w.2', 1]], [2], 'e2')], [2, 3]],
  ['I1', 'an acknowledged write is not in the log', [commit(1), ...written(2), final(2, [['a', 'w.2', 1]], [2])], [3]],
  ['I2', 'two see two values at one offset', [recv(1), recv(1, { p: 'c1', v: 'w.9' })], [1, 2]],
  ['I2', 'a creation for one is an update for another', [recv(1, { op: 'create' }), recv(1, { p: 'c1' })], [1, 2]],
  ['I2', 'a writer gets the offset of another one', [recv(1), ...written(7).map((op) => ('s' in op ? { ...op, s: 1 } : op))], [1, 3]],
  ['I3', 'a later write has a lower offset', [...written(5), set('invoke', 6), set('ok', 6, { s: 4 })], [2, 4]],
  ['I4', 'an offset is left out', [join(), snapshot(1), recv(3)], [2, 3]],
  ['I4', 'a resume skips', [join(), snapshot(1), join('c0', { e: 'e1', s: 1 }), resumed('tail', 2, 4)], [2, 4]],
  [
    'I4',
    'an event is lost without a word',
    [join(), snapshot(1), commit(2, { op: 'event' }), resumed('changes', 1, 2), caughtUp(2), recv(3)],
    [4],
  ],
  [
    'I4',
    'a sync skips an event without a gap, and then the connection ends',
    [
      join(),
      snapshot(1),
      commit(2, { op: 'event' }),
      snapshot(2, [['a', 'w.1', 1]], { reset: 'floor' }),
      { p: 'c0', type: 'info', f: 'close', g: G.g, who: 'u' },
    ],
    [4],
  ],
  ['I4', 'changes end elsewhere than stated', [join(), snapshot(1), resumed('changes', 1, 4), caughtUp(3)], [3, 4]],
  ['I4', 'after an outage a subscription has less than caught_up names', [join(), snapshot(1), recv(2), caughtUp(3)], [3, 4]],
  [
    'I4',
    'who watches an item and was out of reach misses a change of it',
    [join(), { ...snapshot(1, [['a', 'w.1', 1]]), item: 'a' } as NewOp, commit(2), { ...caughtUp(3), item: 'a' } as NewOp],
    [3, 4],
  ],
  ['I4', 'a change comes before any position', [join(), recv(1)], [2]],
  ['I4', 'a batch is torn', [join(), snapshot(1), recv(2, { through: 3 }), snapshot(2)], [3, 4]],
  ['I5', 'an offset goes back', [join(), snapshot(3), recv(2)], [2, 3]],
  ['I5', 'a timestamp goes back', [join(), snapshot(1, [], { ts: 9 }), recv(2, { ts: 9 })], [2, 3]],
  ['I5', 'another epoch comes without a snapshot', [join(), snapshot(1), recv(2, { e: 'e2' })], [2, 3]],
  ['I5', 'a state goes back', [join(), snapshot(3), snapshot(2)], [2, 3]],
  ['I6', 'an offset is shown twice', [join(), snapshot(1), recv(2), recv(2)], [3, 4]],
  ['I6', 'a value is shown twice, at two offsets', [join(), snapshot(1), recv(2), recv(3, { v: 'w.2' })], [3, 4]],
  ['I7', 'a state shows what was written later', [commit(1), commit(2), snapshot(1, [['a', 'w.2', 1]])], [1, 3]],
  ['I7', 'a state misses an item', [commit(1), snapshot(1, [])], [1, 2]],
  ['I7', 'a state shows what is deleted', [commit(1), commit(2, { op: 'delete' }), snapshot(2, [['a', 'w.1', 1]])], [2, 3]],
  [
    'I7',
    'a state is out of order',
    [
      commit(1),
      commit(2, { k: 'b' }),
      snapshot(2, [
        ['b', 'w.2', 2],
        ['a', 'w.1', 1],
      ]),
    ],
    [3],
  ],
  [
    'I7',
    'a state holds a part of a batch',
    [{ p: 'w', type: 'ok', f: 'batch', g: G.g, writes: [{ k: 'a' }, { k: 'b' }], e: 'e1', first: 1, s: 2 }, snapshot(1)],
    [1, 2],
  ],
  ['I8', 'a mirror differs', [nemesis('quiet'), mirror(1, [['a', 'w.1', 1]]), final(1, [['a', 'w.2', 1]], [1])], [2, 3]],
  [
    'I8',
    'a mirror is in another order',
    [
      nemesis('quiet'),
      mirror(2, [
        ['b', 'w', 2],
        ['a', 'v', 1],
      ]),
      final(
        2,
        [
          ['a', 'v', 1],
          ['b', 'w', 2],
        ],
        [1, 2],
      ),
    ],
    [2, 3],
  ],
  ['I8', 'a subscription holds nothing', [join(), nemesis('quiet')], [1, 2]],
  ['I9', 'a failed write is seen', [set('invoke', 1), set('fail', 1), recv(1)], [2, 3]],
  ['I9', 'an unknown value is seen', [recv(1)], [1]],
  ['I10', 'a change is shown before it is durable', [commit(1), recv(2), commit(2)], [2]],
  ['I10', 'a write is acknowledged before it is durable', [commit(1), ...written(2), commit(2)], [3]],
  ['I10', 'the store has lost a shown change', [recv(2), nemesis('kill-engine'), final(1, [['a', 'w.1', 1]], [1])], [1, 3]],
  ['I11', 'somebody gets what he may not read', [right('revoke'), join(), snapshot(1)], [1, 3]],
  ['I12', 'a call ends twice', [call('call', 'invoke'), call('call', 'info'), call('call', 'info')], [2, 3]],
  ['I12', 'a call is answered twice', [call('call', 'invoke'), call('answer', 'ok'), call('answer', 'ok'), call('call', 'info')], [2, 3]],
  ['I12', 'a call runs twice', [call('call', 'invoke'), call('exec', 'ok', 'r'), call('exec', 'ok', 'r'), call('call', 'info')], [2, 3]],
  ['I12', 'a result is another', [call('call', 'invoke'), call('exec', 'ok', 'r'), call('call', 'ok', 'q')], [2, 3]],
  ['I12', 'a call never ends', [call('call', 'invoke')], [1]],
  ['I12', 'the leave function is never called', [{ p: 'engine', type: 'ok', f: 'entered', sub: 'x' }], [1]],
  ['I14', 'a figure grows', [sample(1), sample(1), sample(9), sample(9), sample(20), sample(20)], [3, 6]],
  ['I14', 'held memory grows', [held(20), held(40), held(60)], [2, 3]],
  ['I14', 'all memory of a process that has run for long grows', Array.from({ length: 45 }, (_, n) => anonymous(100 + 4 * n)), [16, 45]],
];

describe('a good history', () => {
  it.each(INVARIANTS.map(({ id, name }) => [id, name] as const))('%s passes: %s', (id) => {
    const invariant = INVARIANTS.filter((each) => each.id === id);
    expect(check(invariant, historyOf(...GOOD)).map(describeViolation)).toEqual([]);
  });
});

describe('a bad history', () => {
  it.each(BAD)('%s fails: %s', (id, _what, ops, named) => {
    const found = check(
      INVARIANTS.filter((each) => each.id === id),
      historyOf(...ops),
    );
    expect(found).not.toEqual([]);
    expect(found[0]?.ops.map(({ i }) => i)).toEqual(named);
    expect(describeViolation(found[0] as (typeof found)[0])).toContain(`${id}: `);
  });

  it('I13 fails: a write does not arrive in time', () => {
    const ops = historyOf(join(), snapshot(0), nemesis('heal'), ...written(1), recv(1));
    const late = ops.map((op) => (op.f === 'recv' ? { ...op, t: op.t + 6_000_000 } : op));
    const liveness = INVARIANTS.filter(({ id }) => id === 'I13');
    expect(check(liveness, ops)).toEqual([]);
    expect(check(liveness, late)[0]?.ops.map(({ i }) => i)).toEqual([5, 6]);
    const ended = historyOf(join(), snapshot(0), nemesis('heal'), ...written(1), sample(1)).map((op) =>
      op.f === 'sample' ? { ...op, t: 9_000_000 } : op,
    );
    expect(check(liveness, ended)[0]?.ops.map(({ i }) => i)).toEqual([5]);
  });

  it('I13 counts from the end of a stall of the checker, but only while there is no fault', () => {
    const liveness = INVARIANTS.filter(({ id }) => id === 'I13');
    const later = (...ops: readonly NewOp[]) => historyOf(...ops).map((op) => (op.i >= 6 ? { ...op, t: op.t + 8_000_000 } : op));
    expect(check(liveness, later(join(), snapshot(0), nemesis('heal'), ...written(1), nemesis('stalled'), recv(1)))).toEqual([]);
    expect(check(liveness, later(join(), snapshot(0), nemesis('heal'), ...written(1), recv(1)))).toHaveLength(1);
    const fault = [join(), snapshot(0), nemesis('reset'), nemesis('stalled'), ...written(1)];
    expect(check(liveness, later(...fault, recv(1)))).toEqual([]);
  });

  it('I13 a write that was there before it was acknowledged is not late, however long nothing follows it', () => {
    const [begun, answered] = written(1) as [NewOp, NewOp];
    const ops = historyOf(join(), snapshot(0), begun, recv(1), answered, nemesis('heal'), ...written(2), recv(2));
    const later = ops.map((op) => (op.i >= 7 ? { ...op, t: op.t + 20_000_000 } : op));
    const liveness = INVARIANTS.filter(({ id }) => id === 'I13');
    expect(check(liveness, later).map(describeViolation)).toEqual([]);
  });

  it('a report ends after twenty of a kind', () => {
    const ops = historyOf(...Array.from({ length: 50 }, (_, n) => recv(n)));
    expect(
      check(
        INVARIANTS.filter(({ id }) => id === 'I9'),
        ops,
      ),
    ).toHaveLength(20);
  });
});

it('the invariants are I1 to I14, each with cases that it fails', () => {
  const ids = Array.from({ length: 14 }, (_, n) => `I${n + 1}`);
  expect(INVARIANTS.map(({ id }) => id)).toEqual(ids);
  expect([...new Set([...BAD.map(([id]) => id), 'I13'])].sort()).toEqual([...ids].sort());
});
