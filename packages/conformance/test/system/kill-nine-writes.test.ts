import { randomUUID } from 'node:crypto';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

/** For more cycles: `RIVULET_KILL_CYCLES=100 npx vitest run packages/conformance/test/system/kill-nine-writes.test.ts`. */
const CYCLES = Math.min(Number(process.env.RIVULET_KILL_CYCLES ?? 5), 200);
const IN_FLIGHT = 32;
const COUNTERS = 3;

const group = { stream_name: 'kill', group_id: 'g' };

interface Ask {
  readonly function_id: string;
  readonly data: Readonly<Record<string, unknown>>;
  answer: unknown;
}

/** One write: it increments a counter, or gives three items the same number. Each write has its own key. */
function ask(n: number): Ask {
  const idempotency_key = randomUUID();
  if (n % 2 === 0) {
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    return {
      function_id: 'stream::update',
      data: { ...group, item_id: `counter${n % COUNTERS}`, ops, idempotency_key },
      answer: undefined,
    };
  }
  const writes = ['a', 'b', 'c'].map((item_id) => ({ type: 'set', item_id, data: { n } }));
  return { function_id: 'stream::batch', data: { ...group, writes, idempotency_key }, answer: undefined };
}

/** Sends writes until `answers` answers arrived, then kills the engine while other writes are on their way. */
async function writeUntilKilled(engine: EngineProcess, asks: Ask[], answers: number): Promise<void> {
  const worker = await RawWorker.connect(engine.workerUrl);
  const byId = new Map<string, Ask>();
  let answered = 0;
  const send = () => {
    const next = ask(asks.length);
    const invocation_id = randomUUID();
    asks.push(next);
    byId.set(invocation_id, next);
    worker.send({ type: 'invokefunction', invocation_id, function_id: next.function_id, data: next.data });
  };
  for (let n = 0; n < IN_FLIGHT; n++) send();
  let killing: Promise<void> | undefined;
  worker.socket.on('message', (data) => {
    const frame = JSON.parse((data as Buffer).toString()) as { type: string; invocation_id: string; result?: unknown; error?: unknown };
    const asked = byId.get(frame.invocation_id);
    if (frame.type !== 'invocationresult' || asked === undefined) return;
    expect(frame.error).toBeUndefined();
    asked.answer = frame.result;
    if (++answered >= answers) killing ??= engine.kill();
    else send();
  });
  await worker.closed;
  await killing;
}

test(
  `RV-32 RV-33 after kill -9 a key is known exactly when its write is there, and a batch is there whole or not at all (${CYCLES} cycles)`,
  async () => {
    const engine = await EngineProcess.start();
    const asks: Ask[] = [];
    let repeated = 0;
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const first = asks.length;
      await writeUntilKilled(engine, asks, 100 + cycle * 7);
      await engine.start();
      const worker = await RawWorker.connect(engine.workerUrl);
      const [a, b, c] = (await Promise.all(['a', 'b', 'c'].map((item_id) => worker.result('stream::get', { ...group, item_id })))) as [
        unknown,
        unknown,
        unknown,
      ];
      expect([b, c]).toEqual([a, a]);
      // All callers repeat their writes, with or without an answer.
      for (const asked of asks.slice(first)) {
        const again = await worker.result(asked.function_id, asked.data);
        const { replayed, ...answer } = again as { readonly replayed?: true };
        // An acknowledged write took effect. A write without an answer may have taken effect.
        expect({ answer, replayed }).toEqual({ answer: asked.answer ?? answer, replayed: asked.answer === undefined ? replayed : true });
        if (replayed === true) repeated++;
      }
      await worker.close();
    }
    const worker = await RawWorker.connect(engine.workerUrl);
    for (let counter = 0; counter < COUNTERS; counter++) {
      const owed = asks.filter(({ data }) => data.item_id === `counter${counter}`).length;
      expect(await worker.result('stream::get', { ...group, item_id: `counter${counter}` })).toEqual({ n: owed });
    }
    expect(repeated).toBeGreaterThanOrEqual(CYCLES * 100);
    process.stdout.write(`kill -9: ${CYCLES} cycles, ${asks.length} writes with keys, each done once; ${repeated} answered again\n`);
  },
  600_000 + CYCLES * 10_000,
);

test('RV-40 after kill -9 an item goes at its time, within a second of the start if that is over, and no other does', async () => {
  const engine = await EngineProcess.start();
  const before = await RawWorker.connect(engine.workerUrl);
  await before.result('stream::set', { ...group, item_id: 'long', data: 1, ttl_ms: 600_000 });
  const set = performance.now();
  await before.result('stream::set', { ...group, item_id: 'later', data: 1, ttl_ms: 5_000 });
  await before.result('stream::set', { ...group, item_id: 'short', data: 1, ttl_ms: 1_000 });
  const overdue = performance.now() + 1_000;
  await engine.kill();
  await expect.poll(() => performance.now()).toBeGreaterThan(overdue);
  await engine.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  const items = () => worker.result('stream::list', { ...group, with_ids: true }) as Promise<readonly { id: string }[]>;
  await expect.poll(async () => (await items()).map(({ id }) => id), { interval: 20 }).not.toContain('short');
  await expect.poll(async () => (await items()).map(({ id }) => id), { interval: 20 }).toEqual(['long']);
  expect(performance.now() - set).toBeGreaterThan(4_990);
});
