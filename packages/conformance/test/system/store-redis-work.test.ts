import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { LoopSlices } from '@rivulet/testkit/measures/loop-slices';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, expect, test } from 'vitest';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

const MOST_MS = 50 + 4;
const PADDING = Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`k${n}`, { id: n, text: 'x'.repeat(80) }]));
const item = (n: number) => ({ stream_name: 's', group_id: 'g', item_id: `i${n}` });
const increment = [{ type: 'increment', path: 'n', by: 1 }];

test('E2 updates of large values over a Redis are done in batches of a few, in order, and do not hold the loop', async () => {
  const slices = new LoopSlices();
  const adapter = `{ name: redis, config: { redis_url: ${server.url}, key_prefix: work } }`;
  const engine = await EngineProcess.start({ adapter, env: slices.env });
  const worker = await RawWorker.connect(engine.workerUrl);
  const items = 6;
  for (let n = 0; n < items; n++) await worker.result('stream::set', { ...item(n), data: { n: 0, PADDING } });
  worker.inbox.clear();
  let longest = Number.POSITIVE_INFINITY;
  let rounds = 0;
  for (; rounds < 10 && longest > MOST_MS; rounds++) {
    await slices.take(engine.pid);
    const updates = Array.from({ length: 18 }, (_, n) => worker.result('stream::update', { ...item(n % items), ops: increment }));
    const seen = await Promise.all(updates);
    const { longestMs } = await slices.take(engine.pid);
    longest = Math.min(longest, longestMs);
    expect(seen.map((result) => (result as { new_value: { n: number } }).new_value.n)).toEqual(
      Array.from({ length: 18 }, (_, n) => rounds * 3 + 1 + Math.floor(n / items)),
    );
  }
  const writes = Array.from({ length: 4 }, (_, n) => ({ type: 'update', item_id: `i${n}`, ops: increment }));
  const { results } = (await worker.result('stream::batch', { stream_name: 's', group_id: 'g', writes })) as { results: object[] };
  expect(results).toMatchObject(writes.map(() => ({ new_value: { n: rounds * 3 + 1 } })));
  const many = Array.from({ length: 12 }, (_, n) => ({ type: 'update', item_id: `i${n % items}`, ops: increment }));
  expect(await worker.errorCode('stream::batch', { stream_name: 's', group_id: 'g', writes: many })).toBe('VALUE_TOO_LARGE');
  expect(longest).toBeLessThan(MOST_MS);
});
