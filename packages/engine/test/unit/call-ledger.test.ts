import { LIMITS, RivuletError } from '@rivulet/protocol';
import { describe, expect, it } from 'vitest';
import { LEDGER_STREAM } from '../../src/store/shared/ids.js';
import type { StreamStore, WritableStore } from '../../src/store/store.js';
import { callerOf } from '../../src/stream/calls/ledger/call-records.js';
import { CallShares } from '../../src/stream/calls/ledger/call-shares.js';
import { DONE, keyed, LedgerWorld, runOf } from '../ledger-world.js';

const UNKNOWN = { kind: 'unknown', message: expect.any(String) as string };

describe('the shares of callers', () => {
  const clock = { now: 0, monotonic: () => clock.now };

  it('a caller that has used up its calls leaves room for others, until its calls are old', () => {
    const shares = new CallShares(clock, 1_000);
    for (let call = 0; call < LIMITS.callerKeyedCalls; call++) shares.addCall('ann');
    expect(() => shares.requireCapacity('ann')).toThrow('calls of this user or address');
    expect(() => shares.requireCapacity('bob')).not.toThrow();
    clock.now += 1_100;
    expect(() => shares.requireCapacity('ann')).not.toThrow();
  });

  it('all callers together have a bound', () => {
    const shares = new CallShares(clock, 1_000);
    for (let call = 0; call < LIMITS.keyedCalls; call++) shares.addCall(`c${call % 16}`);
    expect(() => shares.requireCapacity('new')).toThrow('the engine remembers 400000 calls');
  });

  it('the table has only callers with remembered calls', () => {
    const shares = new CallShares(clock, 1_000);
    for (let caller = 0; caller < 100; caller++) shares.addCall(`c${caller}`);
    clock.now += 500;
    shares.addCall('c0');
    expect(shares.size).toBe(100);
    clock.now += 600;
    expect(shares.takeBytes('c1', 1)).toBe(true);
    expect(shares.size).toBe(2);
  });

  it('an identity has one, and without an identity each address', () => {
    const callers = [{ identity: 'a', address: '1' }, { identity: 'a', address: '2' }, { address: 'a' }, { address: 'b' }, {}];
    const names = callers.map((caller) => callerOf({ identity: undefined, ...caller }));
    expect([names[0] === names[1], new Set(names).size]).toEqual([true, 4]);
  });

  it('a user whose outcomes are not kept any more does not change what others get', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const large = { kind: 'result', text: `"${'x'.repeat(LIMITS.callOutcomeBytes - 2)}"` } as const;
    const most = LIMITS.callerOutcomesBytes / LIMITS.callOutcomeBytes;
    for (let call = 0; call <= most; call++) await runOf(await ledger.begin(keyed({ key: `k${call}` }))).finish(large);
    expect((await ledger.begin(keyed({ key: `k${most - 1}` }))).kind).toBe('done');
    expect(await ledger.begin(keyed({ key: `k${most}` }))).toEqual(UNKNOWN);
    await runOf(await ledger.begin(keyed({ identity: 'bob' }))).finish(large);
    expect((await ledger.begin(keyed({ identity: 'bob' }))).kind).toBe('done');
  });

  it('a user who has used up the calls is refused, and another one is not', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine({ callerCalls: 2 });
    for (const key of ['k1', 'k2']) await ledger.begin(keyed({ key }));
    await expect(ledger.begin(keyed({ key: 'one more' }))).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect((await ledger.begin(keyed({ identity: 'bob' }))).kind).toBe('run');
  });

  it('a repeat of a user who has used up the calls gets the outcome that the store has', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine({ callerCalls: 1 });
    // A young store does not know which calls it may have forgotten, and claims none for a repeat.
    await world.clock.pass(100_000);
    await runOf(await ledger.begin(keyed())).finish(DONE);
    expect(await ledger.begin(keyed({ repeatedAfterMs: 10 }))).toEqual({ kind: 'done', outcome: DONE });
  });
});

describe('one engine', () => {
  it('a call runs, and its repeats get the outcome', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    await runOf(await ledger.begin(keyed())).finish(DONE);
    expect(await ledger.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
    expect(await ledger.begin(keyed({ repeatedAfterMs: 10 }))).toEqual({ kind: 'done', outcome: DONE });
  });

  it('an error is an outcome too', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const outcome = { kind: 'error', error: { code: 'FULL', message: 'no "room"', error_id: 'e1' } } as const;
    await runOf(await ledger.begin(keyed())).finish(outcome);
    expect(await ledger.begin(keyed())).toEqual({ kind: 'done', outcome });
  });

  it('repeats of a running call wait for it, and get the outcome before it is stored', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const [first, ...repeats] = [ledger.begin(keyed()), ledger.begin(keyed()), ledger.begin(keyed({ repeatedAfterMs: 5 }))];
    const run = runOf(await (first as Promise<never>));
    void run.finish(DONE);
    expect(await Promise.all(repeats)).toEqual([
      { kind: 'done', outcome: DONE },
      { kind: 'done', outcome: DONE },
    ]);
  });

  it('repeats that wait leave no timer behind', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const run = runOf(await ledger.begin(keyed()));
    const repeats = [ledger.begin(keyed()), ledger.begin(keyed({ repeatedAfterMs: 5 }))];
    const others = world.clock.waiting - 2;
    await run.finish(DONE);
    await Promise.all(repeats);
    expect(world.clock.waiting).toBe(others);
  });

  it('finds the outcome of a call that has ended, before it is stored and after a restart, and begins nothing', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    expect(await ledger.findOutcome(keyed())).toBe(undefined);
    await runOf(await ledger.begin(keyed())).release();
    const run = runOf(await ledger.begin(keyed()));
    expect(await ledger.findOutcome(keyed())).toBe(undefined);
    const stored = run.finish(DONE);
    expect(await ledger.findOutcome(keyed())).toEqual(DONE);
    await stored;
    const next = await world.engine();
    expect([await next.findOutcome(keyed()), await next.findOutcome(keyed({ identity: 'bob' }))]).toEqual([DONE, undefined]);
    await runOf(await ledger.begin(keyed({ key: 'lost' }))).abandon();
    expect(await next.findOutcome(keyed({ key: 'lost' }))).toBe(undefined);
    expect((await next.begin(keyed({ identity: 'bob' }))).kind).toBe('run');
  });

  it('writes its records on the turn of the caller, so that a store sees whose they are', async () => {
    const world = await new LedgerWorld().start();
    const origins = new Set<string | undefined>();
    const { store } = world;
    const ledger = await world.engine(
      {},
      {
        ...bound(store),
        write: (write, origin) => {
          origins.add(origin);
          return store.write(write, origin);
        },
      },
    );
    origins.clear();
    const run = runOf(await ledger.begin(keyed()));
    await world.clock.pass(5_000);
    await run.finish(DONE);
    await ledger.begin(keyed({ identity: undefined, address: '10.0.0.1' }));
    await ledger.findOutcome(keyed());
    expect([...origins]).toEqual(['identity ann', 'address 10.0.0.1']);
  });

  describe('alone with its store', () => {
    async function alone() {
      const world = await new LedgerWorld().start();
      const written: string[] = [];
      const { store } = world;
      const noting: StreamStore = {
        ...bound(store),
        write: (write, origin) => {
          written.push(write.once?.key.split(' ')[0] ?? '');
          return store.write(write, origin);
        },
      };
      const ledger = await world.engine({ isShared: false }, noting);
      const run = runOf(await ledger.begin(keyed()));
      written.length = 0;
      return { world, ledger, run, written };
    }

    it('stores an outcome together with the next claim, so that both share one sync of the disk', async () => {
      const { ledger, run, written, world } = await alone();
      const stored = run.finish(DONE);
      await world.clock.pass(19);
      expect(written).toEqual([]);
      const next = ledger.begin(keyed({ key: 'k2' }));
      expect(written).toEqual(['end', 'claim']);
      await Promise.all([stored, next]);
      expect(world.clock.waiting).toBe(0);
      expect(await (await world.engine()).begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
    });

    it('stores an outcome after 20 ms without a claim, and at once when the engine stops', async () => {
      const { ledger, run, written, world } = await alone();
      const stored = run.finish(DONE);
      await world.clock.pass(20);
      await stored;
      expect(written).toEqual(['end']);
      const other = runOf(await ledger.begin(keyed({ key: 'k2' })));
      const late = runOf(await ledger.begin(keyed({ key: 'k3' })));
      written.length = 0;
      void other.finish(DONE);
      await ledger.close();
      void late.finish(DONE);
      expect(written).toEqual(['end', 'end']);
    });

    it('stores at once that a call did not run, or has no outcome', async () => {
      const { ledger, run, written } = await alone();
      void run.release();
      expect(written).toEqual(['end']);
      const other = runOf(await ledger.begin(keyed({ key: 'k2' })));
      written.length = 0;
      void other.abandon();
      expect(written).toEqual(['end']);
    });

    it('gives a repeat the outcome from memory, and says OUTCOME_UNKNOWN after a crash in these 20 ms', async () => {
      const { ledger, run, world } = await alone();
      void run.finish(DONE);
      expect(await ledger.begin(keyed({ repeatedAfterMs: 1 }))).toEqual({ kind: 'done', outcome: DONE });
      expect(await (await world.engine({ isShared: false })).begin(keyed({ repeatedAfterMs: 5 }))).toEqual(UNKNOWN);
    });
  });

  it('a repeat waits for a bounded time', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine({ waitMs: 1_000 });
    let waiting = 0;
    const onWait = () => void waiting++;
    const run = runOf(await ledger.begin(keyed(), onWait));
    const repeat = ledger.begin(keyed(), onWait);
    expect(waiting).toBe(1);
    await world.clock.pass(1_001);
    expect(await repeat).toEqual(UNKNOWN);
    await run.finish(DONE);
    expect(await ledger.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
  });

  it.each([
    ['identity', { identity: 'bob' }],
    ['no identity', { identity: undefined }],
    ['function', { functionId: 'board::add' }],
    ['key', { key: 'k2' }],
    ['parts that join to the same text', { identity: 'annboard::', functionId: 'move' }],
  ])('another %s is another call', async (_, more) => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    await runOf(await ledger.begin(keyed())).finish(DONE);
    expect((await ledger.begin(keyed(more))).kind).toBe('run');
  });

  it('a function that returned nothing has an outcome', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const outcome = { kind: 'result', text: undefined } as const;
    await runOf(await ledger.begin(keyed())).finish(outcome);
    expect(await ledger.begin(keyed())).toEqual({ kind: 'done', outcome });
  });

  it('a released call runs again, here and elsewhere, and a repeat that waits for it runs', async () => {
    const world = await new LedgerWorld().start();
    const [a, b] = [await world.engine(), await world.engine()];
    const run = runOf(await a.begin(keyed()));
    const [here, there] = [a.begin(keyed()), b.begin(keyed({ key: 'k2' }))];
    await run.release();
    await runOf(await here).release();
    await runOf(await there).release();
    await runOf(await b.begin(keyed())).finish(DONE);
    expect(await a.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
    expect((await a.begin(keyed({ key: 'k2', repeatedAfterMs: 1 }))).kind).toBe('unknown');
  });

  it('a released call runs again a bounded number of times', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    for (let attempt = 0; attempt < 32; attempt++) await runOf(await ledger.begin(keyed())).release();
    await expect(ledger.begin(keyed())).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  it('an abandoned call has no outcome, unless its function is idempotent', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const run = runOf(await ledger.begin(keyed({ idempotent: true })));
    const waiting = [ledger.begin(keyed()), ledger.begin(keyed({ idempotent: true }))];
    await run.abandon();
    const [plain, idempotent] = await Promise.all(waiting);
    expect(plain).toEqual(UNKNOWN);
    await runOf(idempotent as never).abandon();
    expect(await ledger.begin(keyed())).toEqual(UNKNOWN);
  });

  it('finish counts once', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const run = runOf(await ledger.begin(keyed()));
    await Promise.all([run.finish(DONE), run.finish({ kind: 'result', text: '2' })]);
    expect(await ledger.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
  });

  it('the result above the bound reaches the caller only', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    const kept = { kind: 'result', text: `"${'ä'.repeat(LIMITS.callOutcomeBytes / 2 - 1)}"` } as const;
    await runOf(await ledger.begin(keyed())).finish(kept);
    expect(await ledger.begin(keyed())).toEqual({ kind: 'done', outcome: kept });
    await runOf(await ledger.begin(keyed({ key: 'k2' }))).finish({ kind: 'result', text: `${kept.text} ` });
    expect(await ledger.begin(keyed({ key: 'k2' }))).toEqual(UNKNOWN);
    expect((await ledger.begin(keyed({ key: 'k2', idempotent: true }))).kind).toBe('run');
  });

  it('the ledger leaves no item, no commit and no name of a stream', async () => {
    const world = new LedgerWorld();
    const commits: unknown[] = [];
    await world.store.start({ onCommit: (commit) => commits.push(commit), onBreak() {} });
    const ledger = await world.engine();
    await runOf(await ledger.begin(keyed())).finish(DONE);
    await ledger.begin(keyed());
    await world.clock.pass(10_000);
    expect(commits).toEqual([]);
    expect(await world.store.streams()).toEqual([]);
    expect(await world.store.groups(LEDGER_STREAM)).toEqual([]);
  });
});

describe('two engines over one store', () => {
  it('only one of two equal calls at the same time runs', async () => {
    const world = await new LedgerWorld().start();
    const [a, b] = [await world.engine(), await world.engine()];
    const calls = [a.begin(keyed()), b.begin(keyed())];
    const first = await Promise.race(calls);
    await runOf(first).finish(DONE);
    await world.clock.pass(1_000);
    const entries = await Promise.all(calls);
    expect(entries.map(({ kind }) => kind).sort()).toEqual(['done', 'run']);
  });

  it('a repeat waits for the other engine as long as that engine lives', async () => {
    const world = await new LedgerWorld().start();
    const [a, b] = [await world.engine(), await world.engine()];
    const run = runOf(await a.begin(keyed()));
    await world.clock.pass(15_000);
    let waiting = 0;
    const repeat = b.begin(keyed({ repeatedAfterMs: 15_000 }), () => void waiting++);
    await world.clock.pass(30_000);
    expect(waiting).toBe(1);
    await run.finish(DONE);
    await world.clock.pass(1_000);
    expect(await repeat).toEqual({ kind: 'done', outcome: DONE });
  });

  it('a repeat stops waiting for the other engine when its own one stops', async () => {
    const world = await new LedgerWorld().start();
    const [a, b] = [await world.engine(), await world.engine()];
    const run = runOf(await a.begin(keyed()));
    const ends: unknown[] = [];
    void b.begin(keyed()).then((entry) => ends.push(entry));
    await world.clock.pass(100);
    expect(ends).toEqual([]);
    await b.close();
    await world.clock.pass(500);
    expect(ends).toEqual([UNKNOWN]);
    await run.finish(DONE);
  });

  it('the call of an engine that died does not run again, unless its function is idempotent', async () => {
    const world = await new LedgerWorld().start();
    const [a, b] = [await world.engine(), await world.engine()];
    await a.begin(keyed());
    await a.begin(keyed({ key: 'k2' }));
    await a.close();
    const repeats = Promise.all([b.begin(keyed()), b.begin(keyed({ key: 'k2', idempotent: true }))]);
    await world.clock.pass(5_000);
    let isDecided = false;
    void repeats.then(() => (isDecided = true));
    await world.clock.pass(500);
    expect(isDecided).toBe(false);
    await world.clock.pass(2_000);
    const [plain, idempotent] = await repeats;
    expect(plain).toEqual(UNKNOWN);
    await runOf(idempotent as never).finish(DONE);
    expect(await b.begin(keyed({ key: 'k2' }))).toEqual({ kind: 'done', outcome: DONE });
  });

  it('an engine that runs alone knows at once that an earlier run of it ended', async () => {
    const world = await new LedgerWorld().start();
    await (await world.engine({ isShared: false })).begin(keyed());
    expect(await (await world.engine({ isShared: false })).begin(keyed())).toEqual(UNKNOWN);
  });

  it('an outcome that comes late is the outcome of later repeats', async () => {
    const world = await new LedgerWorld().start();
    const [a, b] = [await world.engine(), await world.engine()];
    const run = runOf(await a.begin(keyed()));
    await a.close();
    const repeat = b.begin(keyed());
    await world.clock.pass(10_000);
    expect(await repeat).toEqual(UNKNOWN);
    await run.finish(DONE);
    expect(await b.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
  });

  it('the outcome of an engine that ended in order stays', async () => {
    const world = await new LedgerWorld().start();
    const [a, b] = [await world.engine(), await world.engine()];
    const run = runOf(await a.begin(keyed()));
    void run.finish(DONE);
    await a.close();
    expect(await b.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
  });
});

describe('repeats of which the ledger has no record', () => {
  it('one runs when the ledger must still know an earlier attempt', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    await world.clock.pass(40_000);
    expect((await ledger.begin(keyed({ repeatedAfterMs: 5_000 }))).kind).toBe('run');
  });

  it('one does not run when the store is younger than the call, unless the function is idempotent', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    await world.clock.pass(10_000);
    expect(await ledger.begin(keyed({ repeatedAfterMs: 15_000 }))).toEqual(UNKNOWN);
    expect((await ledger.begin(keyed({ repeatedAfterMs: 15_000, idempotent: true }))).kind).toBe('run');
    expect((await ledger.begin(keyed({ key: 'k2' }))).kind).toBe('run');
  });

  it('a call that did not run this time does not run the next time', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine();
    expect(await ledger.begin(keyed({ repeatedAfterMs: 15_000 }))).toEqual(UNKNOWN);
    await world.clock.pass(20_000);
    expect(await ledger.begin(keyed({ repeatedAfterMs: 35_000 }))).toEqual(UNKNOWN);
  });

  it('the age of the store counts across restarts of the engine', async () => {
    const world = await new LedgerWorld().start();
    await (await world.engine()).close();
    await world.clock.pass(200_000);
    const ledger = await world.engine();
    expect((await ledger.begin(keyed({ repeatedAfterMs: 100_000 }))).kind).toBe('run');
    expect(await ledger.begin(keyed({ key: 'k2', repeatedAfterMs: 250_000 }))).toEqual(UNKNOWN);
  });

  it('a wall clock that went back makes no store older', async () => {
    const world = await new LedgerWorld().start();
    await (await world.engine()).close();
    world.clock.wall -= 3_600_000;
    expect(await (await world.engine()).begin(keyed({ repeatedAfterMs: 1 }))).toEqual(UNKNOWN);
  });

  it('one does not run when the retention is over', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine({ retentionMs: 60_000 });
    await world.clock.pass(600_000);
    expect((await ledger.begin(keyed({ repeatedAfterMs: 59_999 }))).kind).toBe('run');
    expect(await ledger.begin(keyed({ key: 'k2', repeatedAfterMs: 60_000 }))).toEqual(UNKNOWN);
  });

  it('the record of a call outlives the last repeat that may rely on it', async () => {
    const world = await new LedgerWorld().start();
    const ledger = await world.engine({ retentionMs: 60_000 });
    await runOf(await ledger.begin(keyed())).finish(DONE);
    await world.clock.pass(119_000);
    expect(await ledger.begin(keyed({ repeatedAfterMs: 59_999 }))).toEqual({ kind: 'done', outcome: DONE });
  });

  it('one does not run when the store loses its records at the same moment', async () => {
    const world = await new LedgerWorld().start();
    let epoch = 'e1';
    const { store } = world;
    const losing: StreamStore = {
      ...bound(store),
      get: async (ref, item) => {
        const read = await store.get(ref, item);
        return { ...read, position: { ...read.position, epoch } };
      },
      write: (write, origin) => {
        const writing = store.write(write, origin);
        if (write.once?.key.startsWith('claim') === true) epoch = 'e2';
        return writing;
      },
    };
    const ledger = await world.engine({}, losing);
    await world.clock.pass(100_000);
    expect(await ledger.begin(keyed({ repeatedAfterMs: 5_000 }))).toEqual(UNKNOWN);
    expect(await ledger.begin(keyed({ repeatedAfterMs: 6_000 }))).toEqual(UNKNOWN);
  });
});

describe('a store that fails', () => {
  it('a call does not run without its claim, and a later attempt of the same engine runs', async () => {
    const world = await new LedgerWorld().start();
    const store = failing(world.store);
    const ledger = await world.engine({}, store);
    for (const when of ['before', 'after'] as const) {
      store.fails = when;
      await expect(ledger.begin(keyed({ key: when }))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(await ledger.begin(keyed({ key: when, repeatedAfterMs: 1 }))).toEqual(UNKNOWN);
      store.fails = 'never';
      await runOf(await ledger.begin(keyed({ key: when }))).finish(DONE);
      expect(await ledger.begin(keyed({ key: when }))).toEqual({ kind: 'done', outcome: DONE });
    }
  });

  it('calls that wait for a claim share its failure', async () => {
    const world = await new LedgerWorld().start();
    const store = failing(world.store);
    const ledger = await world.engine({}, store);
    store.fails = 'before';
    const calls = await Promise.allSettled([ledger.begin(keyed()), ledger.begin(keyed())]);
    expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('an outcome is stored when the store is back, and repeats get it meanwhile', async () => {
    const world = await new LedgerWorld().start();
    const store = failing(world.store);
    const [a, b] = [await world.engine({}, store), await world.engine()];
    const run = runOf(await a.begin(keyed()));
    store.fails = 'before';
    const stored = run.finish(DONE);
    await world.clock.pass(1_000);
    expect(await a.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
    store.fails = 'never';
    await world.clock.pass(2_000);
    await stored;
    expect(await b.begin(keyed())).toEqual({ kind: 'done', outcome: DONE });
  });

  it('the ledger gives up an outcome that the store does not take', async () => {
    const world = await new LedgerWorld().start();
    const store = failing(world.store);
    const ledger = await world.engine({}, store);
    const run = runOf(await ledger.begin(keyed()));
    store.fails = 'before';
    const stored = run.finish(DONE);
    await world.clock.pass(30_000);
    await stored;
    store.fails = 'never';
    expect(await ledger.begin(keyed())).toEqual(UNKNOWN);
  });

  it('a store without keys refuses a call, unless its function is idempotent', async () => {
    const world = await new LedgerWorld().start();
    const store: Partial<WritableStore> = bound(world.store);
    delete store.write;
    const ledger = await world.engine({}, store as StreamStore);
    await expect(ledger.begin(keyed())).rejects.toMatchObject({ code: 'INVALID_ARGUMENTS' });
    await runOf(await ledger.begin(keyed({ idempotent: true }))).finish(DONE);
  });

  it('a new store in memory knows nothing of the calls before', async () => {
    const world = await new LedgerWorld().start();
    await runOf(await (await world.engine()).begin(keyed())).finish(DONE);
    await world.clock.pass(100_000);
    world.store = world.newStore();
    await world.start();
    expect(await (await world.engine()).begin(keyed({ repeatedAfterMs: 100_000 }))).toEqual(UNKNOWN);
  });
});

type Failing = WritableStore & { fails: 'never' | 'before' | 'after' };

/** Returns a store whose writes fail before or after they take effect. */
function failing(store: WritableStore): Failing {
  const failed = () => new RivuletError('STORE_UNAVAILABLE', 'as the test asks');
  const all: Failing = {
    ...bound(store),
    fails: 'never',
    write: async (write, origin) => {
      if (all.fails === 'before') throw failed();
      const result = await store.write(write, origin);
      if (all.fails === 'after') throw failed();
      return result;
    },
  };
  return all;
}

/** Returns the methods of a store as functions. */
function bound(store: WritableStore): WritableStore {
  return {
    start: (events) => store.start(events),
    apply: (change, origin) => store.apply(change, origin),
    write: (write, origin) => store.write(write, origin),
    get: (ref, item) => store.get(ref, item),
    snapshot: (ref) => store.snapshot(ref),
    changes: (ref, since) => store.changes(ref, since),
    groups: (stream) => store.groups(stream),
    streams: () => store.streams(),
    watch: (ref) => store.watch(ref),
    unwatch: (ref) => store.unwatch(ref),
    close: () => store.close(),
  };
}
