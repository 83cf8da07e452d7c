import { randomUUID } from 'node:crypto';
import { createRedisStore } from '@rivulet/engine/stores';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { createCallLedger, type OwnedLedger } from '../../src/stream/calls/ledger/open-ledger.js';
import { DONE, keyed, runOf } from '../ledger-world.js';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

/** The clocks of the ledgers run faster where a test waits for a silence of seconds. An engine on a busy machine must beat in that time. */
const SPEED = 4;
const sleepAt = (speed: number) => (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds / speed).unref());

/** Starts engines over one Redis. */
async function engines(count: number, speed = SPEED): Promise<readonly OwnedLedger[]> {
  const clock = { now: Date.now, monotonic: () => performance.now() * speed };
  const sleep = sleepAt(speed);
  const keyPrefix = `ledger-${randomUUID()}`;
  return Promise.all(
    Array.from({ length: count }, async () => {
      const store = createRedisStore({
        url: server.url,
        keyPrefix,
        connectTimeoutMs: 5_000,
        commandTimeoutMs: 2_000,
        tombstoneRetentionMs: 60_000,
        clock: { now: Date.now, monotonic: () => performance.now() },
        logger: silentLogger,
      });
      await store.start({ onCommit() {}, onBreak() {} });
      onTestFinished(() => store.close());
      const ledger = createCallLedger({ store, retentionMs: 600_000, isShared: true, clock, logger: silentLogger, sleep });
      await ledger.start();
      return ledger;
    }),
  );
}

test('equal calls at two engines at the same time run once, and all callers get the outcome', async () => {
  const [a, b] = (await engines(2, 1)) as [OwnedLedger, OwnedLedger];
  const runs = new Map<string, number>();
  const callers = Array.from({ length: 200 }, async (_, n) => {
    const key = `k${n >> 2}`;
    const entry = await (n % 2 === 0 ? a : b).begin(keyed({ key }));
    if (entry.kind !== 'run') return entry;
    runs.set(key, (runs.get(key) ?? 0) + 1);
    await new Promise((resolve) => setImmediate(resolve));
    void entry.run.finish(DONE);
    return { kind: 'done', outcome: DONE };
  });
  for (const entry of await Promise.all(callers)) expect(entry).toEqual({ kind: 'done', outcome: DONE });
  expect([...runs.values()]).toEqual(Array.from({ length: 50 }, () => 1));
});

test('the call of an engine that died does not run at the other one', async () => {
  const [a, b] = (await engines(2)) as [OwnedLedger, OwnedLedger];
  runOf(await a.begin(keyed()));
  await a.close();
  expect((await b.begin(keyed({ repeatedAfterMs: 1 }))).kind).toBe('unknown');
});

test('a repeat waits for the other engine while that engine lives', async () => {
  const [a, b] = (await engines(2)) as [OwnedLedger, OwnedLedger];
  const running = runOf(await a.begin(keyed()));
  const repeat = b.begin(keyed());
  // Longer than the silence of a dead engine.
  await sleepAt(SPEED)(15_000);
  void running.finish(DONE);
  expect(await repeat).toEqual({ kind: 'done', outcome: DONE });
});
