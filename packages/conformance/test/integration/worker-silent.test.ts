import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const eager = { pingIntervalMs: 1_000, pongTimeoutMs: 500 };
const megabyte = 'x'.repeat(1_000_000);

test('F13 a worker that reads nothing is dropped though megabytes are queued for it, and its callers hear of it', async () => {
  const { workerUrl } = await startTestEngine({ worker: eager });
  const caller = await RawWorker.connect(workerUrl);
  const silent = await RawWorker.connect(workerUrl);
  silent.send({ type: 'registerfunction', id: 'app::f' });
  await silent.settled();
  silent.socket.pause();
  const codes = await Promise.all(Array.from({ length: 12 }, () => caller.errorCode('app::f', { megabyte })));
  expect(codes).toEqual(codes.map(() => 'invocation_stopped'));
  expect(await caller.errorCode('app::f', {})).toBe('function_not_found');
});

test('F13 calls that the kernel takes for a silent worker keep it no longer', async () => {
  const { workerUrl, log } = await startTestEngine({ worker: eager });
  const caller = await RawWorker.connect(workerUrl);
  const silent = await RawWorker.connect(workerUrl);
  silent.send({ type: 'registerfunction', id: 'app::f' });
  await silent.settled();
  silent.socket.pause();
  // Each call has 100 kB, and the kernel takes it at once. The worker answers none before the engine drops it.
  let made = 0;
  let dropped = false;
  const text = 'x'.repeat(100_000);
  const first = caller.errorCode('app::f', {}).finally(() => {
    dropped = true;
  });
  while (!dropped && made < 20) {
    made++;
    caller.send({ type: 'invokefunction', function_id: 'app::f', data: { text } });
    await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
  expect([await first, made < 20]).toEqual(['invocation_stopped', true]);
  expect(log.filter(({ event }) => event === 'worker_outbound_full')).toEqual([]);
});
