import { expect, it, onTestFinished } from 'vitest';
import { type CallRow, type CallRows, keepCalls, type RestoredCall } from '../../src/kept-calls.js';
import { CallBench } from '../call-bench.js';

/** Lets promises settle. Nothing here waits for time. */
const settle = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

/** The rows of a browser, in memory. Several pages share them. */
class MemoryRows implements CallRows {
  rows: CallRow[] = [];
  fails = false;

  async update(change: Parameters<CallRows['update']>[0]): Promise<void> {
    await Promise.resolve();
    if (this.fails) throw new Error('no space');
    const { remove, put } = change(this.rows);
    const left = this.rows.filter(({ id }) => !remove.includes(id) && !put.some((row) => row.id === id));
    this.rows = [...left, ...put].sort((one, other) => (one.id < other.id ? -1 : 1));
  }
}

/** A page with kept calls. Its connection is not open yet. */
function page(rows: CallRows, identity = 'ann', onSettled?: (restored: RestoredCall) => void) {
  const persist = keepCalls(rows, identity, onSettled === undefined ? {} : { onSettled });
  const bench = new CallBench({ calls: { persist } });
  const errors: string[] = [];
  bench.client.onError(({ code }) => errors.push(code));
  return Object.assign(bench, { errors, persist });
}

const functionsOf = (bench: CallBench) => bench.socket.calls.map(({ functionId, data }) => [functionId, data]);

it('a page sends the calls that earlier pages left without an answer, with their keys, before its own', async () => {
  const rows = new MemoryRows();
  const first = page(rows);
  await settle();
  first.note('answered', first.client.call('a', 1));
  first.note('sent', first.client.call('b', { deep: [2] }, { timeoutMs: 5_000 }));
  first.socket.open();
  first.socket.result('c1');
  first.socket.lose();
  first.note('waits', first.client.call('c'));
  await settle();
  const { idempotencyKey } = first.socket.calls[1] ?? {};
  const outcomes: RestoredCall[] = [];
  const second = page(rows, 'ann', (restored) => outcomes.push(restored));
  second.note('own', second.client.call('d'));
  second.socket.open();
  expect(second.socket.calls).toEqual([]);
  await settle();
  expect(functionsOf(second)).toEqual([
    ['b', { deep: [2] }],
    ['c', null],
    ['d', null],
  ]);
  expect(second.socket.calls[0]).toMatchObject({ idempotencyKey, timeoutMs: 5_000 });
  // The earlier page may have sent each of them.
  expect(second.socket.calls.map(({ repeatedAfterMs }) => typeof repeatedAfterMs)).toEqual(['number', 'number', 'undefined']);
  for (const { callId, functionId } of second.socket.calls) second.socket.result(callId, `${functionId}!`);
  await settle();
  expect(outcomes.map((each) => [each.call.functionId, each.kind === 'result' && each.result])).toEqual([
    ['b', 'b!'],
    ['c', 'c!'],
  ]);
  expect([second.ends, second.errors, rows.rows]).toEqual([['own: "d!"'], [], []]);
});

it('calls of another identity are dropped and reported, and those of this one go on', async () => {
  const rows = new MemoryRows();
  const ann = page(rows);
  await settle();
  ann.note('a', ann.client.call('a'));
  await settle();
  const bob = page(rows, 'bob');
  bob.socket.open();
  await settle();
  expect([bob.errors, bob.socket.calls, rows.rows]).toEqual([['IDENTITY_CHANGED'], [], []]);
});

it('a closed client leaves its calls to the next client of the page; `discard` deletes them', async () => {
  const rows = new MemoryRows();
  const persist = keepCalls(rows, 'ann');
  const first = new CallBench({ calls: { persist } });
  await settle();
  first.note('a', first.client.call('a'));
  await first.client.close();
  await settle();
  const second = new CallBench({ calls: { persist } });
  second.socket.open();
  await settle();
  expect([first.ends, functionsOf(second)]).toEqual([['a: CLOSED'], [['a', null]]]);
  await persist.discard();
  expect(rows.rows).toEqual([]);
});

it('a call that is too old, or from a clock that was ahead, has an unknown outcome, which `onError` gets', async () => {
  const rows = new MemoryRows();
  const call = { functionId: 'a', data: '1', timeoutMs: 1_000 };
  const at = (madeAt: number, key: string): CallRow => ({ id: key, page: 'p', identity: 'ann', call: { ...call, key, madeAt } });
  rows.rows = [at(Date.now() - 600_001, 'old'), at(Date.now() + 60_000, 'ahead'), { ...at(0, 'damaged'), call: 7 as never }];
  const next = page(rows);
  next.socket.open();
  await settle();
  next.clock.pass(0);
  await settle();
  expect([next.errors, next.socket.calls, rows.rows]).toEqual([['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN'], [], []]);
});

it('a store that fails or does not answer is reported, and calls go on without it', async () => {
  const rows = new MemoryRows();
  rows.fails = true;
  const failing = page(rows);
  failing.socket.open();
  await settle();
  failing.note('a', failing.client.call('a'));
  failing.socket.result('c1', 1);
  await settle();
  expect([failing.ends, [...new Set(failing.errors)]]).toEqual([['a: 1'], ['PERSIST_FAILED']]);
  const silent = page({ update: () => new Promise(() => {}) });
  silent.socket.open();
  void silent.client.call('a');
  await settle();
  expect(silent.socket.calls).toEqual([]);
  silent.clock.pass(2_000);
  expect(functionsOf(silent)).toEqual([['a', null]]);
});

/** The locks of an origin, as browsers have them: one holder for each name, and further requests wait. */
class MemoryLocks {
  readonly #holders = new Map<string, Promise<unknown>>();

  async request(name: string, run: () => Promise<unknown>): Promise<unknown> {
    await Promise.resolve();
    for (let holder = this.#holders.get(name); holder !== undefined; holder = this.#holders.get(name)) await holder;
    const end = run();
    this.#holders.set(name, end);
    await end;
    this.#holders.delete(name);
    return undefined;
  }

  query(): Promise<{ readonly held: readonly { readonly name: string }[] }> {
    return Promise.resolve({ held: Array.from(this.#holders.keys(), (name) => ({ name })) });
  }

  /** Ends a page without a `close()` of its client. */
  drop(): void {
    this.#holders.clear();
  }
}

/** Gives this process the locks of a browser for the test. */
function withLocks(): MemoryLocks {
  const locks = new MemoryLocks();
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks } });
  onTestFinished(() => {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'navigator');
    else Object.defineProperty(globalThis, 'navigator', before);
  });
  return locks;
}

it('a page does not take the calls of a page that is open', async () => {
  const rows = new MemoryRows();
  const locks = withLocks();
  const first = page(rows);
  await settle();
  first.note('a', first.client.call('a'));
  await settle();
  const second = page(rows);
  second.socket.open();
  await settle();
  expect([second.socket.calls, rows.rows.length]).toEqual([[], 1]);
  locks.drop();
  const third = page(rows);
  third.socket.open();
  await settle();
  expect(functionsOf(third)).toEqual([['a', null]]);
});

it('a closed client gives up its lock, so the next client of the page has its calls, with the same keeper or another', async () => {
  withLocks();
  for (const isSame of [true, false]) {
    const rows = new MemoryRows();
    const first = page(rows);
    await settle();
    first.note('a', first.client.call('a'));
    await first.client.close();
    const second = isSame ? new CallBench({ calls: { persist: first.persist } }) : page(rows);
    second.socket.open();
    await settle();
    expect(functionsOf(second)).toEqual([['a', null]]);
    void second.client.close();
  }
});

it('a client that is closed while it reads its calls leaves them, and starts no timer', async () => {
  withLocks();
  for (let turns = 0; turns < 12; turns++) {
    const rows = new MemoryRows();
    const maker = page(rows);
    await settle();
    maker.note('a', maker.client.call('a'));
    await maker.client.close();
    await settle();
    const early = page(rows);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    // Only a client that has restored the call before it was closed may have a timer, and it ends that.
    await early.client.close();
    await settle();
    early.clock.pass(600_000);
    expect([early.errors, early.clock.pending, rows.rows.length]).toEqual([[], 0, 1]);
    const next = page(rows);
    next.socket.open();
    await settle();
    expect(functionsOf(next)).toEqual([['a', null]]);
    void next.client.close();
  }
});
