import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

async function start() {
  const { streamUrl, workerUrl } = await startTestEngine({
    stream: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }], authFunction: 'test::auth' },
  });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('test::auth', (data) => ({ identity: (data as { query_params: { who?: string[] } }).query_params.who?.[0] ?? null }));
  const answers: (() => void)[] = [];
  let runs = 0;
  /** A function that answers when the test says so. */
  await worker.serve('app::slow', () => new Promise((resolve) => answers.push(() => resolve(++runs))));
  await worker.serve('app::count', () => ++runs);
  await worker.serve('app::again', () => ++runs, { metadata: { idempotent: true } });
  const open = (who = 'ann') => StreamSocket.open(`${streamUrl}/?who=${who}`);
  return { open, answers, runs: () => runs };
}

function send(client: StreamSocket, callId: string, functionId: string, more: object = {}): void {
  client.send({ type: 'call', data: { callId, functionId, data: {}, idempotencyKey: 'k1', ...more } });
}

async function answer(client: StreamSocket, callId: string): Promise<unknown> {
  const { data } = await client.inbox.take(({ data: given }) => given?.callId === callId, `the answer of ${callId}`);
  return data?.['code'] ?? data?.['result'];
}

async function call(client: StreamSocket, functionId: string, more: object = {}): Promise<unknown> {
  send(client, 'c', functionId, more);
  return answer(client, 'c');
}

test('RV-63 a repeat gets the result, on every connection of the same identity, and of no other', async () => {
  const { open } = await start();
  const [first, second, other] = [await open(), await open(), await open('bob')];
  expect(await call(first, 'app::count')).toBe(1);
  expect([await call(first, 'app::count'), await call(second, 'app::count', { repeatedAfterMs: 10 })]).toEqual([1, 1]);
  expect([await call(other, 'app::count'), await call(second, 'app::count', { idempotencyKey: 'k2' })]).toEqual([2, 3]);
});

test('RV-63 a repeat of a call that still runs waits for it, also when the first connection is lost', async () => {
  const { open, answers, runs } = await start();
  const first = await open();
  send(first, 'c1', 'app::slow');
  await expect.poll(() => answers.length).toBe(1);
  first.socket.terminate();
  const second = await open();
  send(second, 'c2', 'app::slow', { repeatedAfterMs: 10 });
  send(second, 'c3', 'app::slow');
  answers[0]?.();
  expect([await answer(second, 'c2'), await answer(second, 'c3'), runs()]).toEqual([1, 1, 1]);
});

test('RV-63 a repeat that the engine may have forgotten does not run, unless the function may run twice', async () => {
  const { open, runs } = await start();
  const client = await open();
  // The store in memory is younger than the call.
  expect(await call(client, 'app::count', { repeatedAfterMs: 3_600_000 })).toBe('OUTCOME_UNKNOWN');
  expect(runs()).toBe(0);
  expect(await call(client, 'app::again', { repeatedAfterMs: 3_600_000 })).toBe(1);
});
