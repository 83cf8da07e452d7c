import type { StreamConfig } from '@rivulet/engine';
import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { answerOf, callFunction } from '@rivulet/testkit/peers/stream-calls';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const APP: Partial<StreamConfig> = { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] };

/** A function that answers when the test says so. */
class SlowFunction {
  readonly #waiting: (() => void)[] = [];
  readonly #watchers: (() => void)[] = [];

  readonly handler = async (data: unknown): Promise<unknown> => {
    const answered = new Promise<void>((resolve) => this.#waiting.push(resolve));
    for (const watcher of this.#watchers.splice(0)) watcher();
    await answered;
    return data;
  };

  /** Resolves when this many calls wait. */
  async reached(count: number): Promise<void> {
    while (this.#waiting.length < count) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  answerAll(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }
}

async function start(stream: Partial<StreamConfig> = {}, more: Omit<TestEngineOptions, 'stream'> = {}) {
  const started = await startTestEngine({ stream: { ...APP, ...stream }, ...more });
  const worker = await RawWorker.connect(started.workerUrl);
  const slow = new SlowFunction();
  await worker.serve('app::slow', slow.handler);
  await worker.serve('app::echo', (data) => (data as { text?: string }).text ?? 'echo');
  return { ...started, worker, slow };
}

const callSlow = (client: StreamSocket, callId: string, more: object = {}) =>
  client.send({ type: 'call', data: { callId, functionId: 'app::slow', data: 1, ...more } });

const answers = (client: StreamSocket) => client.inbox.all.filter(({ type }) => type === 'result' || type === 'call_error');

test('RV-61: calls run at the same time, and their answers come as the functions answer', async () => {
  const { streamUrl, slow } = await start();
  const client = await StreamSocket.open(streamUrl);
  callSlow(client, 'first');
  await slow.reached(1);
  expect(await callFunction(client, 'app::echo', {})).toMatchObject({ result: 'echo' });
  slow.answerAll();
  expect(await answerOf(client, 'first')).toMatchObject({ type: 'result' });
});

test('RV-60: an id of an unanswered call is refused without an effect on that call, and is free after the answer', async () => {
  const { streamUrl, slow } = await start();
  const client = await StreamSocket.open(streamUrl);
  callSlow(client, 'same');
  callSlow(client, 'same');
  expect(await client.takeControl('error')).toEqual({ code: 'INVALID_ARGUMENTS', message: expect.any(String) });
  await slow.reached(1);
  slow.answerAll();
  expect(await answerOf(client, 'same')).toMatchObject({ type: 'result' });
  callSlow(client, 'same');
  await slow.reached(1);
  slow.answerAll();
  await client.inbox.take(({ type, data }) => type === 'result' && data?.callId === 'same', 'the second answer');
  expect(answers(client)).toHaveLength(2);
});

test('a client gets TIMEOUT after its own time, and after that of the engine', async () => {
  const { streamUrl } = await start({ callTimeoutMs: 300 });
  const client = await StreamSocket.open(streamUrl);
  expect(await callFunction(client, 'app::slow', 1, { timeoutMs: 1 })).toMatchObject({ code: 'TIMEOUT' });
  expect(await callFunction(client, 'app::slow', 1, { timeoutMs: 60_000 })).toMatchObject({ code: 'TIMEOUT' });
  expect(await callFunction(client, 'app::slow', 1, { timeoutMs: 1, idempotencyKey: 'k' })).toMatchObject({ code: 'TIMEOUT' });
});

test('RV-63: a call without a key is stopped by the end of its worker, and one with a key has an unknown outcome', async () => {
  const { streamUrl, worker, slow } = await start();
  const client = await StreamSocket.open(streamUrl);
  callSlow(client, 'plain');
  callSlow(client, 'keyed', { idempotencyKey: 'k' });
  await slow.reached(2);
  await worker.close();
  expect(await answerOf(client, 'plain')).toMatchObject({ code: 'invocation_stopped' });
  expect(await answerOf(client, 'keyed')).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
});

test('the calls of a client that leaves are forgotten; those with a key go on', async () => {
  const { streamUrl, slow, worker, adminUrl } = await start({}, { admin: {} });
  const client = await StreamSocket.open(streamUrl);
  for (const callId of ['a', 'b', 'c']) callSlow(client, callId);
  callSlow(client, 'keyed', { idempotencyKey: 'k' });
  await slow.reached(4);
  const other = await StreamSocket.open(streamUrl);
  callSlow(other, 'a');
  await slow.reached(5);
  client.socket.terminate();
  await client.closed;
  slow.answerAll();
  expect(await answerOf(other, 'a')).toMatchObject({ type: 'result' });
  await worker.settled();
  const metrics = async () => (await fetch(`${adminUrl}/metrics`)).text();
  // The call with a key ends when its outcome is stored.
  await expect.poll(metrics).toContain('rivulet_stream_calls_running 0');
  expect(await metrics()).toContain('rivulet_stream_calls_total{end="result"} 1');
});

test.each([
  [
    'an operator disconnects it',
    async (worker: RawWorker) => void (await worker.result('engine::sessions::disconnect', { identity: 'ann' })),
  ],
  ['its access expires', () => undefined],
])('a client gets no answers when %s', async (name, end) => {
  let now = Date.now();
  const expires = name.includes('expires');
  const { streamUrl, worker, slow } = await start(
    { authFunction: 'test::auth' },
    { clock: { now: () => now, monotonic: () => performance.now() } },
  );
  await worker.serve('test::auth', () => ({ identity: 'ann', ...(expires ? { expires_at_ms: now + 60_000 } : {}) }));
  const client = await StreamSocket.open(streamUrl);
  callSlow(client, 'a');
  callSlow(client, 'b', { idempotencyKey: 'k' });
  await slow.reached(2);
  now += 60_000;
  await end(worker);
  if (!expires) slow.answerAll();
  expect(await client.closed).toBe(1008);
  slow.answerAll();
  await worker.settled();
  expect(answers(client)).toEqual([]);
});

test('a refresh with another identity ends the session, and its calls get no answers', async () => {
  const { streamUrl, worker, slow } = await start({ authFunction: 'test::auth' });
  await worker.serve('test::auth', (data) => ({ identity: (data as { query_params: { token?: string[] } }).query_params.token?.[0] }));
  const client = await StreamSocket.open(`${streamUrl}/?token=ann`);
  callSlow(client, 'a', { idempotencyKey: 'k' });
  await slow.reached(1);
  client.send({ type: 'refresh', data: { token: 'bob' } });
  expect(await client.closed).toBe(1008);
  slow.answerAll();
  await worker.settled();
  expect(answers(client)).toEqual([]);
});

test('a stop refuses new calls, sends the answers of those that run, and closes then', async () => {
  const { streamUrl, slow, stop } = await start({ drainSpreadMs: 1_000 });
  const [busy, idle] = await Promise.all([StreamSocket.open(streamUrl), StreamSocket.open(streamUrl)]);
  callSlow(busy, 'runs');
  await slow.reached(1);
  const stopped = stop();
  expect(await idle.closed).toBe(1012);
  expect(await callFunction(busy, 'app::echo', {})).toMatchObject({ code: 'ENGINE_STOPPING' });
  slow.answerAll();
  expect(await answerOf(busy, 'runs')).toMatchObject({ type: 'result' });
  expect(await busy.closed).toBe(1012);
  await stopped;
});

test('calls and their text are bounded for each connection', async () => {
  const { streamUrl, slow } = await start();
  const client = await StreamSocket.open(streamUrl);
  for (let index = 0; index < LIMITS.clientInFlightCalls; index++) callSlow(client, `c${index}`);
  callSlow(client, 'one too many');
  expect(await answerOf(client, 'one too many')).toMatchObject({ code: 'OVERLOADED' });
  await slow.reached(LIMITS.clientInFlightCalls);
  slow.answerAll();
  await answerOf(client, `c${LIMITS.clientInFlightCalls - 1}`);

  const large = await StreamSocket.open(streamUrl);
  for (let index = 0; index < 5; index++) callSlow(large, `c${index}`, { data: 'x'.repeat(250_000) });
  expect(await answerOf(large, 'c4')).toMatchObject({ code: 'OVERLOADED' });
  await slow.reached(4);
  slow.answerAll();
  expect(await answerOf(large, 'c0')).toMatchObject({ type: 'result' });
});

test('a result that is too large fails the call, and a call that is too large closes the connection', async () => {
  const { streamUrl, worker } = await start();
  await worker.serve('app::large', (size) => 'x'.repeat((size as { value: number }).value - 2));
  const client = await StreamSocket.open(streamUrl);
  expect(await callFunction(client, 'app::large', LIMITS.callResultBytes)).toMatchObject({ type: 'result' });
  expect(await callFunction(client, 'app::large', LIMITS.callResultBytes + 1)).toMatchObject({ code: 'RESULT_TOO_LARGE' });
  client.send({ type: 'call', data: { callId: 'c', functionId: 'app::echo', data: 'x'.repeat(LIMITS.clientMessageBytes) } });
  expect(await client.closed).toBe(1009);
});

test('a client that calls too often is read more slowly, and all of its calls are answered', async () => {
  let monotonic = 1_000;
  const clock = { now: () => Date.now(), monotonic: () => monotonic };
  const { streamUrl, log, engine } = await start({ maxCallsPerSecond: 100 }, { clock });
  const client = await StreamSocket.open(streamUrl);
  const burst = 2 * LIMITS.clientInFlightCalls;
  for (let index = 0; index < burst; index += 128)
    await Promise.all(Array.from({ length: 128 }, () => callFunction(client, 'app::echo', {})));
  expect(engine.figures().rateLimited).toBe(0);
  expect(await callFunction(client, 'app::echo', {})).toMatchObject({ result: 'echo' });
  const line = log.find(({ event }) => event === 'rate_limited');
  expect(line?.fields).toMatchObject({ of: 'calls', listener: 'stream' });
  const late = callFunction(client, 'app::echo', {});
  const other = await StreamSocket.open(streamUrl);
  expect(await callFunction(other, 'app::echo', {})).toMatchObject({ result: 'echo' });
  monotonic += 1_000;
  expect(await late).toMatchObject({ result: 'echo' });
});

test('hostile calls get an answer or none, and harm nobody', async () => {
  const { streamUrl, worker, log } = await start();
  const [hostile, other] = await Promise.all([StreamSocket.open(streamUrl), StreamSocket.open(streamUrl)]);
  const values: unknown[] = [null, 7, '', [], {}, '\ud800', '\u0000', '__proto__', 'x'.repeat(2_000), { a: 1 }, 1e308, -0];
  for (const value of values) {
    hostile.send({ type: 'call', data: value });
    for (const key of ['callId', 'functionId', 'data', 'idempotencyKey', 'repeatedAfterMs', 'confirm', 'timeoutMs'])
      hostile.send({ type: 'call', data: { callId: 'c', functionId: 'app::echo', [key]: value } });
  }
  for (const functionId of ['__proto__', 'constructor', 'app::\u0000', 'app::*', '*', 'app::'.repeat(200), '\ud800'])
    hostile.send({ type: 'call', data: { callId: functionId, functionId, data: {} } });
  hostile.socket.send(`{"type":"call","data":{"callId":"deep","functionId":"app::echo","data":${'['.repeat(100)}${']'.repeat(100)}}}`);
  expect(await answerOf(hostile, 'deep')).toMatchObject({ code: 'deserialization_error' });
  expect(await callFunction(other, 'app::echo', {})).toMatchObject({ result: 'echo' });
  expect(await callFunction(hostile, 'app::echo', { text: 'still here' })).toMatchObject({ result: 'still here' });
  await worker.settled();
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
});
