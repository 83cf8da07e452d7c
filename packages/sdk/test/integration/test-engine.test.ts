import { createHmac } from 'node:crypto';
import { connect } from '@rivulet/client';
import { registerWorker, stream } from '@rivulet/sdk';
import { startTestEngine, type TestEngine, type TestEngineOptions, type TestLogLine } from '@rivulet/sdk/testing';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

async function started(options?: TestEngineOptions): Promise<TestEngine> {
  const rivulet = await startTestEngine(options);
  onTestFinished(() => rivulet.stop());
  return rivulet;
}

function workerOf(rivulet: TestEngine) {
  const worker = registerWorker(rivulet.workerUrl);
  onTestFinished(() => worker.shutdown());
  return worker;
}

function pageOf(rivulet: TestEngine, token?: string) {
  const client = connect(rivulet.streamUrl, { WebSocket, ...(token === undefined ? {} : { token }) });
  onTestFinished(() => client.close());
  return client;
}

/** Resolves when the engine knows what a worker has registered. `settled` knows no worker that is not connected yet. */
async function registered(worker: ReturnType<typeof workerOf>): Promise<void> {
  await worker.trigger({ function_id: 'engine::functions::list', payload: {} });
}

test('an item with a time to live ends at its millisecond, also after an odd move, and the page sees it', async () => {
  const rivulet = await started();
  const items = stream<{ id: string }>(workerOf(rivulet));
  const view = pageOf(rivulet).subscribeGroup<{ id: string }>('invites', 'open');
  await view.whenLive();
  await rivulet.advance(123);
  await items.set('invites', 'open', 'i1', { id: 'i1' }, { ttlMs: 60_000 });
  await rivulet.advance(59_999);
  expect(view.items.map(({ id }) => id)).toEqual(['i1']);
  await rivulet.advance(1);
  expect(view.items).toEqual([]);
  expect(await items.list('invites', 'open')).toEqual([]);
});

test('a lease outlives a lost connection for its grace time, and no longer', async () => {
  const rivulet = await started();
  const worker = workerOf(rivulet);
  worker.registerFunction('app::join', () => ({ lease: { item_id: 'ann', data: { id: 'ann' }, grace_ms: 5_000 } }));
  worker.registerTrigger({ type: 'stream:join', function_id: 'app::join', config: { stream_name: 'presence' } });
  await registered(worker);
  const socket = new WebSocket(rivulet.streamUrl);
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'join', data: { subscriptionId: 's', streamName: 'presence', groupId: 'room' } }));
  await rivulet.settled();
  expect(await stream(worker).list('presence', 'room')).toEqual([{ id: 'ann' }]);
  socket.terminate();
  await new Promise((resolve) => socket.once('close', resolve));
  await rivulet.settled();
  await rivulet.advance(4_999);
  expect(await stream(worker).list('presence', 'room')).toEqual([{ id: 'ann' }]);
  await rivulet.advance(1);
  expect(await stream(worker).list('presence', 'room')).toEqual([]);
});

test('an idempotency key is kept for its retention, and no longer', async () => {
  const rivulet = await started({ streams: { idempotency_retention_ms: 60_000 } });
  const items = stream<number>(workerOf(rivulet));
  const add = () => items.update('counts', 'all', 'n', [{ type: 'increment', path: 'n', by: 1 }], { idempotencyKey: 'k' });
  await add();
  await rivulet.advance(59_999);
  await add();
  expect(await items.get('counts', 'all', 'n')).toEqual({ n: 1 });
  await rivulet.advance(1);
  await add();
  expect(await items.get('counts', 'all', 'n')).toEqual({ n: 2 });
});

test('a function that hangs times out by the clock, and does not hold up a stop', async () => {
  const lines: TestLogLine[] = [];
  const rivulet = await started({ log: (line) => void lines.push(line) });
  const worker = workerOf(rivulet);
  let called = () => {};
  const isCalled = new Promise<void>((resolve) => (called = resolve));
  worker.registerFunction('app::hang', () => {
    called();
    return new Promise<never>(() => {});
  });
  worker.registerTrigger({ type: 'http', function_id: 'app::hang', config: { api_path: '/hang', http_method: 'GET' } });
  await registered(worker);
  let isAnswered = false;
  const answer = fetch(`${rivulet.httpUrl}/hang`).then(({ status }) => {
    isAnswered = true;
    return status;
  });
  await isCalled;
  const hangs = worker.trigger({ function_id: 'app::hang', payload: {} }).catch((error: unknown) => error);
  await rivulet.advance(29_000);
  expect(isAnswered).toBe(false);
  await rivulet.advance(1_000);
  expect(await answer).toBe(504);
  await rivulet.stop();
  await worker.shutdown();
  expect(await hangs).toBeInstanceOf(Error);
  expect(lines.map(({ event }) => event)).toEqual(['http_request_failed', 'calls_cut_off']);
});

test('a call of a page times out by the clock, and another one takes effect once', async () => {
  const rivulet = await started({ streams: { expose_functions: ['match("app::*")'], call_timeout_ms: 20_000 } });
  const worker = workerOf(rivulet);
  let called = () => {};
  const isCalled = new Promise<void>((resolve) => (called = resolve));
  worker.registerFunction('app::hang', () => {
    called();
    return new Promise<never>(() => {});
  });
  worker.registerFunction('app::add', ({ id }) => stream(worker).set('notes', 'all', id, { id }));
  await registered(worker);
  const client = pageOf(rivulet);
  const view = client.subscribeGroup('notes', 'all');
  await client.call('app::add', { id: 'n1' });
  await rivulet.settled();
  expect(view.items.map(({ id }) => id)).toEqual(['n1']);
  const outcome = client.call('app::hang').catch((error: unknown) => error);
  await isCalled;
  await rivulet.advance(20_000);
  expect(await outcome).toMatchObject({ code: 'TIMEOUT' });
});

test('a call of a page whose function nobody serves ends by the clock', async () => {
  const rivulet = await started({ streams: { expose_functions: ['match("app::*")'] } });
  const client = pageOf(rivulet);
  const outcome = client.call('app::missing').catch((error: unknown) => error);
  // The engine has the call when it has the answer to a later one.
  await expect(client.call('other::missing')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  const nextEnd = () => Promise.race([outcome, client.call('other::missing').catch(() => 'waits')]);
  await rivulet.advance(4_999);
  expect(await nextEnd()).toBe('waits');
  await rivulet.advance(1);
  expect(await nextEnd()).toMatchObject({ code: 'function_not_found' });
});

test('a token expires by the clock', async () => {
  const secret = 'a-secret-of-the-tests-with-48-characters-in-it!!';
  const rivulet = await started({ streams: { auth: { jwt: { algorithms: ['HS256'], secret } } }, now: 1_700_000_000_000 });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256' })}.${part({ sub: 'ann', exp: 1_700_000_600, rivulet: { join: ['*/*'] } })}`;
  const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  const client = pageOf(rivulet, token);
  const codes: string[] = [];
  client.onError(({ code }) => void codes.push(code));
  const view = client.subscribeGroup('chat', 'room');
  await view.whenLive();
  await rivulet.advance(599_000);
  expect(view.status).toBe('live');
  await rivulet.advance(2_000);
  await expect.poll(() => [view.status, codes[0]]).toEqual(['stale', 'UNAUTHORIZED']);
});

test('engines in one process have data and clocks of their own', async () => {
  const [one, two] = await Promise.all([started({ now: 1_000 }), started({ now: 5_000 })]);
  const [first, second] = [stream<number>(workerOf(one)), stream<number>(workerOf(two))];
  await first.set('s', 'g', 'i', 1, { ttlMs: 1_000 });
  await second.set('s', 'g', 'i', 2, { ttlMs: 1_000 });
  await one.advance(1_000);
  expect([one.now(), two.now()]).toEqual([2_000, 5_000]);
  expect(await first.list('s', 'g')).toEqual([]);
  expect(await second.get('s', 'g', 'i')).toBe(2);
  await one.stop();
  expect(await second.get('s', 'g', 'i')).toBe(2);
});

test('`settled` waits for the calls of a chain of triggers, and for their last delivery', async () => {
  const rivulet = await started();
  const worker = workerOf(rivulet);
  const items = stream<number>(worker);
  worker.registerFunction('app::next', async ({ event, id }) => {
    await new Promise(setImmediate);
    if (event.data < 20) await items.set('chain', 'all', id, event.data + 1);
  });
  worker.registerTrigger({ type: 'stream', function_id: 'app::next', config: { stream_name: 'chain' } });
  const view = pageOf(rivulet).subscribeGroup<number>('chain', 'all');
  await view.whenLive();
  await items.set('chain', 'all', 'n', 0);
  await rivulet.settled();
  expect(view.get('n')?.data).toBe(20);
});

test('rates follow the real time, so a clock that stands still holds up nobody', async () => {
  const rivulet = await started({ streams: { max_joins_per_second: 1, max_subscriptions_per_connection: 1 } });
  const socket = new WebSocket(rivulet.streamUrl);
  await new Promise((resolve) => socket.once('open', resolve));
  onTestFinished(() => socket.terminate());
  const joined = async (group: number) => {
    const answered = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        if (data.toString().includes(`"groupId":"${group}"`)) resolve();
      });
    });
    socket.send(JSON.stringify({ type: 'join', data: { subscriptionId: `${group}`, streamName: 's', groupId: `${group}` } }));
    await answered;
    socket.send(JSON.stringify({ type: 'leave', data: { subscriptionId: `${group}` } }));
  };
  // The rate allows five joins at once. After the sixth, the engine reads nothing until a second has passed.
  for (let group = 1; group <= 7; group++) await joined(group);
});

test('errors say what to do', async () => {
  const refusals = [
    [{ stream: {} }, /no option stream; the options are config, streams, workers/],
    [{ config: 'a.yaml', streams: {} }, /give either config or sections/],
    [{ now: 1.5 }, /now must be a time in Unix milliseconds/],
    [{ config: '/nowhere/a.yaml' }, /\/nowhere\/a\.yaml.*can't be read/s],
    [{ streams: { auth_functoin: 'a' } }, /auth_functoin.*auth_function/s],
  ] as const;
  for (const [options, message] of refusals) await expect(startTestEngine(options as TestEngineOptions)).rejects.toThrow(message);
  const rivulet = await started();
  await expect(rivulet.advance(-1)).rejects.toThrow('advance takes whole milliseconds from 0 on, not -1; a clock does not go back');
  await rivulet.stop();
  await rivulet.stop();
  await expect(rivulet.settled()).rejects.toMatchObject({ code: 'STOPPED' });
});
