import { LIMITS, RivuletError } from '@rivulet/protocol';
import { collectGarbage } from '@rivulet/testkit/measures/heap';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { failure, JsonPayload, type Outcome } from '../../src/core/fabric/invocation.js';
import type { CallOutcome, LedgerEntry } from '../../src/stream/calls/call-ledger.js';
import type { PageCallsOptions } from '../../src/stream/calls/page-calls.js';
import { StartOrder } from '../../src/stream/calls/start-order.js';
import { type Clock, systemClock } from '../../src/structures/clock.js';
import { settled } from '../hub-world.js';
import { pageCallsWorld as world } from '../page-calls-world.js';

const RESULT: Outcome = { kind: 'result', text: '1' };

const codes = (outcomes: readonly CallOutcome[]) =>
  outcomes.map((outcome) => (outcome.kind === 'error' ? outcome.error.code : outcome.text));
const KEYED = { idempotencyKey: 'k' };

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('RV-61: a repeat that the engine refuses before it reads the ledger', () => {
  it('gets OUTCOME_UNKNOWN in place of FORBIDDEN, because an earlier sending may have run', () => {
    const { outcomes, make, ledger, calls } = world();
    make({ ...KEYED, functionId: 'secret::f', repeatedAfterMs: 5 });
    make({ ...KEYED, functionId: 'secret::f' });
    expect(codes(outcomes)).toEqual(['OUTCOME_UNKNOWN', 'FORBIDDEN']);
    expect(outcomes[0]).toMatchObject({ error: { message: expect.stringContaining('secret::f is not allowed') as string } });
    expect(ledger.begun).toEqual([]);
    expect(calls.counts.ended).toMatchObject({ unknown: 1, refused: 1 });
  });
});

describe('RV-63: a call with a key', () => {
  it('is dispatched when the ledger has stored it, and its outcome is stored', async () => {
    const { running, serve, ledger, outcomes, make, calls } = world();
    serve('app::f');
    make({ ...KEYED, repeatedAfterMs: 5 });
    expect([running.length, calls.counts.running]).toEqual([0, 1]);
    expect(ledger.begun[0]?.call).toEqual({
      identity: 'ann',
      address: '10.0.0.1',
      functionId: 'app::f',
      key: 'k',
      repeatedAfterMs: 5,
      idempotent: false,
    });
    await ledger.giveRun();
    expect(running[0]?.call).toMatchObject({ functionId: 'app::f', idempotencyKey: expect.stringMatching(/^[\w-]{43}$/) });
    running[0]?.end(RESULT);
    await settled();
    expect([outcomes, ledger.ends, calls.counts.running]).toEqual([[RESULT], [RESULT], 0]);
  });

  it('gets the stored outcome of the first call, or OUTCOME_UNKNOWN, without a run', async () => {
    const { running, serve, ledger, outcomes, make, calls } = world();
    serve('app::f');
    make({ ...KEYED, repeatedAfterMs: 5 });
    ledger.begun[0]?.give({ kind: 'done', outcome: { kind: 'error', error: { code: 'NOT_OWNER', message: 'm' } } });
    make({ ...KEYED, repeatedAfterMs: 5 });
    ledger.begun[1]?.give({ kind: 'unknown', message: 'the engine ended' });
    await settled();
    expect([codes(outcomes), running.length, calls.counts.replayed]).toEqual([['NOT_OWNER', 'OUTCOME_UNKNOWN'], 0, 1]);
    expect(outcomes.map((outcome) => outcome.kind === 'error' && outcome.ran)).toEqual([true, undefined]);
    expect(calls.counts.ended).toMatchObject({ error: 1, unknown: 1 });
  });

  it('gets the outcome that the ledger has at once, also when nobody serves the function now', async () => {
    const { ledger, outcomes, make, calls } = world({ callTimeoutMs: 60_000 });
    make(KEYED);
    make({ ...KEYED, repeatedAfterMs: 5 });
    expect(ledger.asked.map(({ call }) => call)).toEqual(
      Array.from({ length: 2 }, () => ({ identity: 'ann', address: '10.0.0.1', functionId: 'app::f', key: 'k' })),
    );
    for (const { give } of ledger.asked) give({ kind: 'result', text: '2' });
    await settled();
    expect([codes(outcomes), ledger.begun, calls.counts]).toMatchObject([['2', '2'], [], { running: 0, replayed: 2 }]);
    make();
    expect(ledger.asked).toHaveLength(2);
  });

  it('waits for its worker when the ledger has no outcome, or does not answer', async () => {
    const { ledger, outcomes, make, calls, serve, running } = world({ callTimeoutMs: 60_000 });
    for (const key of ['k1', 'k2', 'k3']) make({ idempotencyKey: key, repeatedAfterMs: 5 });
    ledger.asked[0]?.give();
    ledger.asked[1]?.fail(new RivuletError('STORE_UNAVAILABLE', 'no store'));
    await settled();
    expect([outcomes, calls.counts.running]).toEqual([[], 3]);
    serve('app::f');
    await new Promise(setImmediate);
    for (const { give } of ledger.begun) give({ kind: 'run', run: ledger.run });
    await settled();
    expect(running).toHaveLength(3);
    for (const { end } of running) end(RESULT);
    await settled();
    // The ledger still reads for the last one, so the store must not close yet.
    expect([codes(outcomes), calls.counts.running]).toEqual([['1', '1', '1'], 1]);
    ledger.asked[2]?.give({ kind: 'result', text: '2' });
    await settled();
    expect([codes(outcomes), calls.counts]).toMatchObject([['1', '1', '1'], { running: 0, replayed: 0 }]);
  });

  it('a repeat asks the ledger again when nobody serves the function in time', async () => {
    const { ledger, outcomes, make } = world({ callTimeoutMs: 60_000 });
    make(KEYED);
    vi.advanceTimersByTime(5_000);
    expect([codes(outcomes), ledger.begun.length]).toEqual([['function_not_found'], 0]);
    make({ ...KEYED, repeatedAfterMs: 5 });
    expect(ledger.begun.length).toBe(0);
    vi.advanceTimersByTime(5_000);
    ledger.begun[0]?.give({ kind: 'done', outcome: { kind: 'result', text: '2' } });
    make({ ...KEYED, repeatedAfterMs: 5 });
    vi.advanceTimersByTime(5_000);
    await ledger.giveRun();
    vi.advanceTimersByTime(5_000);
    expect([codes(outcomes), ledger.ends]).toEqual([['function_not_found', '2', 'function_not_found'], ['released']]);
  });

  it('that is repeated waits for its worker, so that the ledger knows whether the function may run twice', async () => {
    const { fabric, serve, ledger, running, make } = world({ callTimeoutMs: 60_000 });
    make({ ...KEYED, repeatedAfterMs: 5 });
    serve('app::f', { idempotent: true });
    await new Promise(setImmediate);
    expect(fabric.hasFunction('app::f')).toBe(true);
    expect(ledger.begun[0]?.call).toMatchObject({ idempotent: true });
    await ledger.giveRun();
    expect(running.length).toBe(1);
  });

  it('is given up while it waits for its worker, when the access of its client ends', async () => {
    const { serve, ledger, running, make, calls } = world({ callTimeoutMs: 60_000 });
    const call = make({ ...KEYED, repeatedAfterMs: 5 });
    ledger.asked[0]?.give();
    vi.advanceTimersByTime(5_000);
    await ledger.giveRun();
    call.leave(true);
    await settled();
    serve('app::f');
    await new Promise(setImmediate);
    expect([running.length, ledger.ends, calls.counts.running]).toEqual([0, ['released'], 0]);
  });

  it('is not dispatched when the ledger fails', async () => {
    const { running, serve, ledger, outcomes, make } = world();
    serve('app::f');
    make(KEYED);
    ledger.begun[0]?.fail(new RivuletError('STORE_UNAVAILABLE', 'no store'));
    make(KEYED);
    ledger.begun[1]?.fail(new Error('a bug'));
    await settled();
    expect([codes(outcomes), running.length]).toEqual([['STORE_UNAVAILABLE', 'invocation_error'], 0]);
  });

  it('that did not reach its function is forgotten, so that a repeat runs', async () => {
    const { running, serve, ledger, outcomes, make } = world();
    serve('app::f');
    make(KEYED);
    await ledger.giveRun();
    running[0]?.end(failure('OVERLOADED', 'slow'));
    await settled();
    expect([codes(outcomes), ledger.ends]).toEqual([['OVERLOADED'], ['released']]);
  });

  it('has an unknown outcome when its worker disconnects; a function that may run twice runs again', async () => {
    const { running, serve, ledger, outcomes, make } = world();
    serve('app::f');
    serve('app::twice', { idempotent: true });
    for (const functionId of ['app::f', 'app::twice']) {
      make({ ...KEYED, functionId });
      await ledger.giveRun();
      running.at(-1)?.end(failure('invocation_stopped', 'gone'));
    }
    make();
    running.at(-1)?.end(failure('invocation_stopped', 'gone'));
    await settled();
    expect(codes(outcomes)).toEqual(['OUTCOME_UNKNOWN', 'invocation_stopped', 'invocation_stopped']);
    expect([ledger.ends, ledger.begun.map(({ call }) => call.idempotent)]).toEqual([
      ['abandoned', 'released'],
      [false, true],
    ]);
  });

  it('goes on after its caller has left, and after the time of its caller', async () => {
    const { running, serve, ledger, outcomes, make, calls } = world();
    serve('app::f');
    const left = make(KEYED);
    await ledger.giveRun();
    left.leave(false);
    make({ idempotencyKey: 'k2', timeoutMs: 50 });
    await ledger.giveRun();
    vi.advanceTimersByTime(50);
    expect(codes(outcomes)).toEqual(['TIMEOUT']);
    for (const { end } of running) end(RESULT);
    await settled();
    expect([codes(outcomes), ledger.ends, calls.counts.running]).toEqual([['TIMEOUT'], [RESULT, RESULT], 0]);
  });

  it('ends after the time of the engine, without an outcome', async () => {
    const { running, serve, ledger, outcomes, make, cancelled, calls } = world();
    serve('app::f');
    make({ ...KEYED, timeoutMs: 1e9 });
    await ledger.giveRun();
    vi.advanceTimersByTime(1_000);
    running[0]?.end(RESULT);
    await settled();
    expect([codes(outcomes), ledger.ends, cancelled(), calls.counts.running]).toEqual([['TIMEOUT'], ['abandoned'], 1, 0]);
  });

  it('is not dispatched any more when its time or its access is over while the ledger stores it', async () => {
    const { running, serve, ledger, make } = world();
    serve('app::f');
    make(KEYED);
    vi.advanceTimersByTime(1_000);
    await ledger.giveRun();
    make({ idempotencyKey: 'k2' }).leave(true);
    await ledger.giveRun();
    make({ idempotencyKey: 'k3' }).leave(false);
    await ledger.giveRun();
    expect([running.length, ledger.ends]).toEqual([1, ['released', 'released']]);
  });

  it.each<[string, (call: { leave(isRevoked: boolean): void }) => void]>([
    ['its access ends', (call) => call.leave(true)],
    ['its time ends', () => vi.advanceTimersByTime(1_000)],
  ])('counts exactly once when %s while the ledger stores it', async (_name, end) => {
    const { serve, ledger, make, calls, running } = world();
    serve('app::f');
    const answers: ((entry: (typeof ledger.begun)[number]) => void)[] = [
      ({ give }) => give({ kind: 'run', run: ledger.run }),
      ({ give }) => give({ kind: 'unknown', message: 'm' }),
      ({ fail }) => fail(new RivuletError('STORE_UNAVAILABLE', 'no store')),
    ];
    for (const answer of answers) {
      end(make(KEYED));
      // The ledger may still write, so the store must not close yet.
      expect(calls.counts).toMatchObject({ running: 1, chars: 10 });
      const idle = calls.whenIdle(60_000);
      answer(ledger.begun.at(-1) as (typeof ledger.begun)[number]);
      await settled();
      expect(calls.counts).toMatchObject({ running: 0, chars: 0 });
      await idle;
    }
    expect([running.length, ledger.ends]).toEqual([0, ['released']]);
  });

  it('counts as running until the ledger has stored its end', async () => {
    const { running, serve, ledger, make, calls } = world();
    serve('app::f');
    let store = () => {};
    ledger.stored = new Promise((resolve) => {
      store = resolve;
    });
    make(KEYED);
    await ledger.giveRun();
    running[0]?.end(RESULT);
    let isIdle = false;
    const idle = calls.whenIdle(1_000).then(() => {
      isIdle = true;
    });
    await settled();
    expect([calls.counts.running, isIdle]).toEqual([1, false]);
    store();
    await idle;
    expect(calls.counts).toMatchObject({ running: 0, chars: 0 });
  });
});

it('an engine whose clock stands still waits for the ends of calls by the real time', async () => {
  const timer = { unref() {} };
  const clock: Clock = { ...systemClock, timers: { once: () => timer, every: () => timer, cancel() {} } };
  const { serve, make, calls } = world({}, clock);
  serve('app::f');
  make();
  let isOver = false;
  const idle = calls.whenIdle(1_000).then(() => {
    isOver = true;
  });
  vi.advanceTimersByTime(1_000);
  await settled();
  expect([isOver, calls.counts.running]).toEqual([true, 1]);
  await idle;
});

describe('RV-60: the calls of one session', () => {
  function inOrder() {
    const all = world();
    all.serve('app::f');
    const order = new StartOrder();
    const call = (key: string | undefined, repeatedAfterMs?: number) =>
      all.make({ payload: JsonPayload.ofValue(key ?? 'no key'), idempotencyKey: key, repeatedAfterMs, order });
    const give = async (at: number, entry: LedgerEntry = { kind: 'run', run: all.ledger.run }) => {
      all.ledger.begun[at]?.give(entry);
      await settled();
    };
    const started = () => all.running.map(({ call: { payload } }) => payload.value);
    return { ...all, call, give, started };
  }

  it('start in the order in which they came, although the ledger decides in another one', async () => {
    const { call, give, started } = inOrder();
    call('a', 5);
    call('b');
    call(undefined);
    call('c');
    await give(1);
    await give(2);
    expect(started()).toEqual([]);
    await give(0);
    expect(started()).toEqual(['a', 'b', 'no key', 'c']);
  });

  it('do not wait for a call that does not start', async () => {
    const { call, give, ledger, started } = inOrder();
    for (const key of ['done', 'unknown', 'fails', 'waits', 'runs']) call(key, 5);
    await give(4);
    await give(0, { kind: 'done', outcome: { kind: 'result', text: '1' } });
    await give(1, { kind: 'unknown', message: 'm' });
    ledger.begun[2]?.fail(new Error('no store'));
    await settled();
    expect(started()).toEqual([]);
    ledger.begun[3]?.onWait?.();
    expect(started()).toEqual(['runs']);
    // It waited for an earlier sending, which was released. So it starts after all.
    await give(3);
    expect(started()).toEqual(['runs', 'waits']);
  });

  it('do not overtake those that wait for the worker that has just come back', async () => {
    const { make, serve, running } = world({ callTimeoutMs: 60_000 });
    const order = new StartOrder();
    const call = (name: string) => make({ payload: JsonPayload.ofValue(name), order });
    call('first');
    call('second');
    serve('app::f');
    call('third');
    await new Promise(setImmediate);
    call('fourth');
    expect(running.map(({ call: { payload } }) => payload.value)).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('did not run when their time is over before the store has recorded them and the earlier ones', async () => {
    const { make, give, started, outcomes, ledger, calls } = inOrder();
    const order = new StartOrder();
    make({ idempotencyKey: 'repeat', repeatedAfterMs: 5, order });
    make({ timeoutMs: 500, order });
    make({ idempotencyKey: 'first sending', order });
    make({ idempotencyKey: 'of another page', order });
    ledger.begun[2]?.onWait?.();
    vi.advanceTimersByTime(500);
    expect(codes(outcomes)).toEqual(['STORE_UNAVAILABLE']);
    vi.advanceTimersByTime(500);
    // An earlier sending of the first and of the last one may still run.
    expect(codes(outcomes)).toEqual(['STORE_UNAVAILABLE', 'TIMEOUT', 'STORE_UNAVAILABLE', 'TIMEOUT']);
    expect(calls.counts.ended).toMatchObject({ refused: 2, timeout: 2 });
    for (const at of [0, 1, 2]) await give(at);
    expect([started(), ledger.ends, calls.counts.running]).toEqual([[], ['released', 'released', 'released'], 0]);
  });

  it('start without one whose time is over', async () => {
    const { call, give, started, ledger } = inOrder();
    call('late', 5);
    vi.advanceTimersByTime(500);
    call('a');
    await give(1);
    vi.advanceTimersByTime(500);
    expect(started()).toEqual(['a']);
    await give(0);
    expect([started(), ledger.ends]).toEqual([['a'], ['released']]);
  });
});

describe('a call without a key', () => {
  it('ends with its caller, and after the time of its caller', () => {
    const { running, serve, outcomes, make, cancelled, calls } = world();
    serve('app::f');
    make().leave(false);
    make({ timeoutMs: 50 });
    vi.advanceTimersByTime(50);
    for (const { end } of running) end(RESULT);
    expect([codes(outcomes), cancelled(), calls.counts.running]).toEqual([['TIMEOUT'], 2, 0]);
  });

  it('holds nothing of its input while it runs', async () => {
    const { serve, make, running } = world({ middlewareFunction: 'app::middleware' });
    serve('app::middleware');
    const call = () => {
      const data = { much: 'x' };
      make({ payload: JsonPayload.ofValue(data) });
      running.length = 0;
      return new WeakRef(data);
    };
    const held = call();
    vi.useRealTimers();
    await settled();
    collectGarbage();
    expect(held.deref()).toBeUndefined();
  });
});

describe('a function that its metadata expose', () => {
  const PUBLIC = { exposeFunctions: [{ kind: 'metadata', conditions: [{ key: 'public', equals: true }] }] } as const;
  const metadataWorld = (more: Partial<PageCallsOptions['config']> = {}) => world({ callTimeoutMs: 60_000, ...PUBLIC, ...more });

  it('is called when its worker comes back in time', async () => {
    const { make, serve, running, outcomes, calls } = metadataWorld();
    make();
    serve('app::other', { public: true });
    await new Promise(setImmediate);
    expect([running.length, outcomes.length, calls.counts.running]).toEqual([0, 0, 1]);
    serve('app::f', { public: true });
    await new Promise(setImmediate);
    running[0]?.end(RESULT);
    expect([codes(outcomes), calls.counts.running]).toEqual([['1'], 0]);
  });

  it('is called through the middleware then', async () => {
    const { make, serve, running, outcomes } = metadataWorld({ middlewareFunction: 'app::middleware' });
    serve('app::middleware');
    make();
    expect([running.length, outcomes.length]).toEqual([0, 0]);
    serve('app::f', { public: true });
    await new Promise(setImmediate);
    expect(running.map(({ call }) => call.functionId)).toEqual(['app::middleware']);
  });

  it.each([
    ['nobody registers it', () => {}],
    ['it is registered without these metadata', (serve: (id: string) => void) => serve('app::f')],
  ])('is FORBIDDEN after the wait when %s, so that no page learns which functions exist', async (_name, register) => {
    for (const isEarly of [true, false]) {
      const { make, serve, running, outcomes, calls, ledger } = metadataWorld();
      if (isEarly) register(serve);
      make();
      make(KEYED);
      make({ ...KEYED, repeatedAfterMs: 5 });
      if (!isEarly) register(serve);
      await new Promise(setImmediate);
      vi.advanceTimersByTime(LIMITS.clientFunctionWaitMs - 1);
      expect(outcomes).toEqual([]);
      vi.advanceTimersByTime(1);
      // The first attempt of a repeated call may have run while the function was exposed.
      expect(codes(outcomes)).toEqual(['FORBIDDEN', 'FORBIDDEN', 'OUTCOME_UNKNOWN']);
      expect([running.length, ledger.begun.length, calls.counts.running]).toEqual([0, 0, 0]);
    }
  });

  it('is FORBIDDEN at once when no metadata can allow it', () => {
    const { calls, make, outcomes } = metadataWorld();
    make({ functionId: 'engine::functions::list' });
    const lists = {
      allowedFunctions: new Set<string>(),
      allowedPatterns: [],
      forbiddenFunctions: new Set(['app::f']),
      namespaces: new Map(),
    };
    const forbidden = calls.callerOf('s2', { context: null, calls: lists }, '10.0.0.2');
    const call = { functionId: 'app::f', payload: JsonPayload.ofValue(1), idempotencyKey: undefined, repeatedAfterMs: undefined };
    calls.run({ ...call, timeoutMs: undefined, inexactNumbers: false, chars: 1 }, forbidden, (outcome) => void outcomes.push(outcome));
    expect(codes(outcomes)).toEqual(['FORBIDDEN', 'FORBIDDEN']);
  });

  it('is not called when its worker comes back without these metadata while the ledger stores the call', async () => {
    const { make, serve, fabric, running, outcomes, ledger } = metadataWorld();
    const owner = serve('app::f', { public: true });
    make(KEYED);
    fabric.functions.unregister('app::f', 'default', owner);
    await ledger.giveRun();
    serve('app::f');
    await new Promise(setImmediate);
    vi.advanceTimersByTime(LIMITS.clientFunctionWaitMs);
    await settled();
    expect([running.length, codes(outcomes), ledger.ends]).toEqual([0, ['FORBIDDEN'], ['released']]);
  });
});

describe('the bounds of calls', () => {
  it('are for all clients, and for the clients of one address', () => {
    const { calls, caller, make, outcomes, serve, running } = world();
    serve('app::f');
    for (let count = 0; count < LIMITS.clientCallsPerAddress; count++) make();
    make();
    expect(codes(outcomes)).toEqual(['OVERLOADED']);
    const other = calls.callerOf('s2', { context: null }, '10.0.0.2');
    const call = { functionId: 'app::f', payload: JsonPayload.ofValue(1), idempotencyKey: undefined, repeatedAfterMs: undefined };
    const rest = { timeoutMs: undefined, inexactNumbers: false };
    const take = (chars: number, by = other) => calls.run({ ...call, ...rest, chars }, by, (outcome) => void outcomes.push(outcome));
    take(LIMITS.clientCallChars);
    take(LIMITS.clientCallChars - calls.counts.chars);
    take(1);
    expect(codes(outcomes)).toEqual(['OVERLOADED', 'OVERLOADED', 'OVERLOADED']);
    running[0]?.end(RESULT);
    take(1, caller);
    expect(outcomes).toHaveLength(4);
    expect(calls.counts.running).toBe(LIMITS.clientCallsPerAddress + 1);
  });
});

it('calls that time out, and calls that their client leaves, give their places and their characters back', () => {
  const { calls, make, outcomes, serve, running, cancelled } = world();
  serve('app::f');
  const most = LIMITS.clientCallsPerAddress;
  const timedOut = 8;
  for (let round = 1; round <= 2; round++) {
    const made = Array.from({ length: most }, () => make({ timeoutMs: 50 }));
    expect([round, running.length]).toEqual([round, round * most]);
    for (const [index, call] of made.slice(timedOut).entries()) call.leave(index % 2 === 0);
    expect([calls.counts.running, calls.counts.chars]).toEqual([timedOut, 10 * timedOut]);
    vi.advanceTimersByTime(50);
    expect([calls.counts.running, calls.counts.chars, cancelled()]).toEqual([0, 0, round * most]);
  }
  expect(codes(outcomes)).toEqual(Array.from({ length: 2 * timedOut }, () => 'TIMEOUT'));
});

it('a stopping engine refuses new calls', () => {
  const { calls, make, outcomes, serve } = world();
  serve('app::f');
  calls.refuseAll();
  make();
  expect(codes(outcomes)).toEqual(['ENGINE_STOPPING']);
});
