import { randomUUID } from 'node:crypto';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const connect = () => RawWorker.connect(started.workerUrl);
  return { ...started, connect, worker: await connect() };
}

test('WP-1 the first frame is workerregistered with a worker id and a reattach token', async () => {
  const { worker } = await start();
  await worker.settled();
  const [first] = worker.inbox.all;
  expect(first?.type).toBe('workerregistered');
  expect(first?.worker_id).toMatch(UUID);
  expect(first?.reattach_token).toMatch(UUID);
});

test('WP-2 unknown types, invalid JSON, blank text and unknown binary never close the connection', async () => {
  const { worker } = await start();
  const bad = [
    '',
    '  ',
    '{',
    'null',
    '[]',
    '7',
    '{}',
    '{"type":7}',
    '{"type":"whatever"}',
    '{"type":"__proto__"}',
    '{"type":"invokefunction"}',
  ];
  bad.push('{"type":"registerfunction"}', '{"type":"registertrigger","id":"x"}', '{"type":"invocationresult"}', `${'['.repeat(9_000)}`);
  bad.push(`{"type":"registerfunction","id":"${'x'.repeat(2_000)}"}`, '{"type":"reattach"}', '{"__proto__":{"type":"ping"}}');
  for (const text of bad) {
    worker.sendText(text);
    worker.socket.send(Buffer.from(text));
  }
  worker.socket.send(Buffer.from([0xff, 0xfe, 0x00]));
  await worker.settled();
  expect(worker.socket.readyState).toBe(worker.socket.OPEN);
});

test('WP-2 a binary frame may carry JSON, and ping is answered with pong', async () => {
  const { worker } = await start();
  worker.socket.send(Buffer.from('{"type":"ping"}'));
  await worker.take('pong');
});

test('WP-3 a call without data reaches the function as null and gets its result', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  await worker.serve('app::echo', (data, frame) => ({ data, keys: Object.keys(frame) }));
  const id = randomUUID();
  caller.send({ type: 'invokefunction', invocation_id: id, function_id: 'app::echo' });
  const answer = await caller.take('invocationresult');
  expect(answer.result).toMatchObject({ data: null });
  expect((answer.result as { keys: string[] }).keys).toContain('data');
});

test('WP-4 results, errors with their stacktrace and missing results pass between workers', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  await worker.serve('app::add', (data) => (data as { a: number }).a + 1);
  await worker.serve('app::nothing', () => undefined);
  await worker.serve('app::null', () => null);
  const error = { code: 'invocation_failed', message: 'boom', stacktrace: 'at x' };
  await worker.serve('app::fail', () => {
    throw new WorkerError(error);
  });
  expect(await caller.call('app::add', { a: 1 })).toMatchObject({ type: 'invocationresult', function_id: 'app::add', result: 2 });
  for (const id of ['app::nothing', 'app::null']) {
    const answer = await caller.call(id, {});
    expect(answer).not.toHaveProperty('result');
    expect(answer).not.toHaveProperty('error');
  }
  const failed = await caller.call('app::fail', {});
  expect(failed.error).toEqual(error);
  expect(failed).not.toHaveProperty('result');
  const traced = await caller.call('app::add', { a: 1 }, { traceparent: '00-a-b-01', baggage: 'k=v' });
  expect(traced).toMatchObject({ traceparent: '00-a-b-01', baggage: 'k=v' });
});

test('WP-4 a worker may call itself, with an id of the engine between', async () => {
  const { worker } = await start();
  await worker.serve('app::self', (data) => data);
  const id = randomUUID();
  worker.send({ type: 'invokefunction', invocation_id: id, function_id: 'app::self', data: 7 });
  const dispatched = await worker.take('invokefunction');
  expect(dispatched.invocation_id).toMatch(UUID);
  expect(dispatched.invocation_id).not.toBe(id);
  expect(await worker.take('invocationresult')).toMatchObject({ invocation_id: id, result: 7 });
});

test('WP-5 a void call is never answered, with an id or without, found or not', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  await worker.serve('app::f', () => 1);
  for (const function_id of ['app::f', 'app::missing', 'stream::set']) {
    caller.send({ type: 'invokefunction', invocation_id: randomUUID(), function_id, data: {}, action: { type: 'void' } });
    caller.send({ type: 'invokefunction', function_id, data: {}, action: { type: 'void' } });
  }
  await worker.take('invokefunction');
  await worker.take('invokefunction');
  await worker.settled();
  await caller.settled();
  expect(caller.inbox.all.filter((frame) => frame.type === 'invocationresult')).toHaveLength(1);
});

test('WP-6 a call with neither action nor id behaves as void', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  await worker.serve('app::f', () => 1);
  caller.send({ type: 'invokefunction', function_id: 'app::f', data: { n: 1 } });
  expect((await worker.take('invokefunction')).invocation_id).toMatch(UUID);
  await caller.settled();
  expect(caller.inbox.all.filter((frame) => frame.type === 'invocationresult')).toHaveLength(1);
});

test('WP-7 enqueue without a provider is an enqueue_error at once; an unknown action is invalid_action', async () => {
  const { worker } = await start();
  expect(await worker.errorCode('app::f', {}, { action: { type: 'enqueue', queue: 'q' } })).toBe('enqueue_error');
  expect(await worker.errorCode('app::f', {}, { action: { type: 'sideways' } })).toBe('invalid_action');
  expect(await worker.errorCode('app::f', {}, { namespace: ' ' })).toBe('INVALID_NAMESPACE');
});

test('WP-8 a missing function is function_not_found and the message names it', async () => {
  const { worker } = await start();
  const answer = await worker.call('app::nobody', {});
  expect(answer.error).toMatchObject({ code: 'function_not_found' });
  expect((answer.error as { message: string }).message).toContain('app::nobody');
});

test('WP-9 an executor that dies in the middle of a call is invocation_stopped at once', async () => {
  const { worker, connect } = await start();
  const mortal = await connect();
  await mortal.serve('app::hang', () => new Promise(() => {}));
  const call = worker.call('app::hang', {});
  await mortal.take('invokefunction');
  await mortal.close();
  expect((await call).error).toMatchObject({ code: 'invocation_stopped' });
});

test('WP-10 a caller that dies leaves nothing behind; the late result, a duplicate and a foreign one are ignored', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  const thief = await connect();
  await worker.serve('app::never', () => new Promise(() => {}));
  void caller.call('app::never', {}).catch(() => {});
  const dispatched = await worker.take('invokefunction');
  await caller.closeSeenBy(worker);
  const second = await connect();
  const call = second.call('app::never', {});
  const pending = await worker.take('invokefunction', (frame) => frame.function_id === 'app::never');
  thief.send({ type: 'invocationresult', invocation_id: pending.invocation_id, function_id: 'app::never', result: 'stolen' });
  await thief.settled();
  worker.send({ type: 'invocationresult', invocation_id: dispatched.invocation_id, function_id: 'app::never', result: 'late' });
  worker.send({ type: 'invocationresult', function_id: 'app::never', result: 'without id' });
  worker.send({ type: 'invocationresult', invocation_id: pending.invocation_id, function_id: 'app::never', result: 'right' });
  worker.send({ type: 'invocationresult', invocation_id: pending.invocation_id, function_id: 'app::never', result: 'twice' });
  expect((await call).result).toBe('right');
  await worker.settled();
});

test('WP-11 a second worker takes a function over; when it goes the survivor serves again', async () => {
  const { worker, connect } = await start();
  const second = await connect();
  await worker.serve('app::f', () => 'first');
  await second.serve('app::f', () => 'second');
  expect(await worker.result('app::f', {})).toBe('second');
  worker.send({ type: 'unregisterfunction', id: 'app::other' });
  await second.closeSeenBy(worker);
  expect(await worker.result('app::f', {})).toBe('first');
  worker.send({ type: 'unregisterfunction', id: 'app::f' });
  expect(await worker.errorCode('app::f', {})).toBe('function_not_found');
});

test('WP-11 a worker that stands by may unregister without touching the owner', async () => {
  const { worker, connect } = await start();
  const second = await connect();
  await worker.serve('app::f', () => 'first');
  await second.serve('app::f', () => 'second');
  worker.send({ type: 'unregisterfunction', id: 'app::f' });
  expect(await worker.result('app::f', {})).toBe('second');
  await second.closeSeenBy(worker);
  expect(await worker.errorCode('app::f', {})).toBe('function_not_found');
});

test('built-in functions cannot be shadowed; ids that only look like them can be registered', async () => {
  const { worker } = await start();
  await worker.serve('stream::set', () => 'shadow');
  await worker.serve('engine::mine', () => 'shadow');
  await worker.serve('stream::get(chat)', () => 'custom');
  expect(await worker.errorCode('stream::set', {})).toBe('deserialization_error');
  expect(await worker.errorCode('engine::mine', {})).toBe('function_not_found');
  expect(await worker.result('stream::get(chat)', {})).toBe('custom');
});

test('WP-12 the clean-up of an old socket removes nothing that a newer one has registered', async () => {
  const { worker, connect } = await start();
  const old = await connect();
  const next = await connect();
  for (const each of [old, next]) {
    await each.serve('app::f', () => (each === next ? 'new' : 'old'));
    each.send({ type: 'registertrigger', id: 't1', trigger_type: 'stream', function_id: 'app::f', config: { stream_name: 's' } });
    each.send({ type: 'registertriggertype', id: 'webhook' });
    await each.settled();
  }
  await old.closeSeenBy(worker);
  expect(await worker.result('app::f', {})).toBe('new');
  await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: 'i', data: 1 });
  await next.take('invokefunction', (frame) => (frame.data as Frame).streamName === 's');
  await worker.bind('webhook', 'app::f', {});
  await next.take('registertrigger');
});

test('WP-13 reattach with the right token retires the old socket before the replay; a wrong one has no effect', async () => {
  const { worker, connect } = await start();
  const old = await connect();
  const registered = await old.take('workerregistered');
  await old.serve('app::f', () => 'old');
  const wrong = await connect();
  for (const token of ['nonsense', undefined, randomUUID()]) {
    wrong.send({ type: 'reattach', previous_worker_id: registered.worker_id, reattach_token: token });
  }
  wrong.send({ type: 'reattach', previous_worker_id: await wrong.workerId(), reattach_token: 'x' });
  await wrong.settled();
  expect(await worker.result('app::f', {})).toBe('old');
  const back = await connect();
  back.send({ type: 'reattach', previous_worker_id: registered.worker_id, reattach_token: registered.reattach_token });
  back.send({ type: 'registerfunction', id: 'app::g' });
  await back.settled();
  expect(await worker.errorCode('app::f', {})).toBe('function_not_found');
  await old.closed;
});

test('WP-18 object payloads of workers carry the caller id, which nobody can forge; triggers do not', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  await worker.serve('app::f', (data) => data);
  const callerId = await caller.workerId();
  expect(await caller.result('app::f', { a: 1, _caller_worker_id: 'forged' })).toEqual({ a: 1, _caller_worker_id: callerId });
  expect(await caller.result('app::f', {})).toEqual({ _caller_worker_id: callerId });
  expect(await caller.result('app::f', [1])).toEqual([1]);
  caller.sendText(
    '{"type":"invokefunction","invocation_id":"p","function_id":"app::f","data":{"__proto__":{"polluted":true},"constructor":1}}',
  );
  const answer = await caller.take('invocationresult', (frame) => frame.invocation_id === 'p');
  expect(Object.keys(answer.result as object).sort()).toEqual(['__proto__', '_caller_worker_id', 'constructor']);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test('WP-19 a WebSocket ping is answered while functions are busy', async () => {
  const { worker, connect } = await start();
  const busy = await connect();
  await busy.serve('app::hang', () => new Promise(() => {}));
  for (let n = 0; n < 50; n++) void worker.call('app::hang', { n }).catch(() => {});
  await new Promise<void>((resolve) => {
    worker.socket.once('pong', () => resolve());
    worker.socket.ping();
  });
});

test('a peer that answers no ping is dropped, one that answers stays', async () => {
  const { worker, workerUrl } = await start({ worker: { pingIntervalMs: 250, pongTimeoutMs: 100 } });
  const silent = await RawWorker.connect(workerUrl, { autoPong: false });
  expect((await silent.closed).code).toBe(1006);
  await worker.settled();
});

test('WP-20 a graceful stop closes workers with 1012, after the calls in flight have been answered', async () => {
  const { worker, connect, stop } = await start();
  const caller = await connect();
  let release: (value: unknown) => void = () => {};
  await worker.serve('app::slow', () => new Promise((resolve) => (release = resolve)));
  const call = caller.call('app::slow', {});
  await worker.take('invokefunction');
  const stopping = stop();
  release('done');
  expect((await call).result).toBe('done');
  expect((await caller.closed).code).toBe(1012);
  await stopping;
});

test('WP-21 /otel stays open and silent; a root socket that sends only telemetry is no worker', async () => {
  const { worker, workerUrl } = await start();
  const otel = await StreamSocket.open(`${workerUrl}/otel`);
  const root = await RawWorker.connect(workerUrl);
  for (const prefix of ['OTLP', 'MTRC', 'LOGS']) {
    otel.socket.send(Buffer.from(`${prefix}{"resourceSpans":[]}`));
    root.socket.send(Buffer.from(`${prefix}{"type":"registerfunction","id":"x"}`));
  }
  otel.socket.send('text');
  await otel.settled();
  await root.settled();
  expect(otel.inbox.all).toEqual([]);
  const { workers } = (await worker.result('engine::workers::list', {})) as { workers: Frame[] };
  expect(workers.map((row) => row.runtime)).toEqual(['engine']);
  await expect(RawWorker.connect(`${workerUrl}/elsewhere`)).rejects.toThrow('HTTP 404');
});

test('WP-23 metadata of a call and of a trigger arrives beside the data', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  await worker.serve('app::f', (_data, frame) => frame.metadata ?? 'none');
  expect(await caller.result('app::f', {})).toBe('none');
  const answer = await caller.call('app::f', {}, { metadata: { tenant: 'acme' } });
  expect(answer.result).toEqual({ tenant: 'acme' });
  await worker.bind('stream', 'app::f', { stream_name: 's' }, { metadata: { k: 1 } });
  await caller.result('stream::send', { stream_name: 's', group_id: 'g', type: 't', data: {} });
  const fired = await worker.take('invokefunction', (frame) => (frame.data as Frame).streamName === 's');
  expect(fired.metadata).toEqual({ k: 1 });
});

test('WP-25 a message beyond the limit closes only its own connection', async () => {
  const { worker, workerUrl } = await start({ worker: { maxMessageBytes: 100_000 } });
  const offender = await RawWorker.connect(workerUrl);
  offender.sendText('x'.repeat(200_000));
  expect((await offender.closed).code).toBe(1009);
  await worker.settled();
});

test('WP-25 a list larger than its caller accepts is RESULT_TOO_LARGE and can be paged', async () => {
  const { worker } = await start();
  await worker.result('engine::workers::register', { runtime: 'python', version: '0.22.1', name: 'py', pid: 1 });
  const room = { stream_name: 's', group_id: 'g' };
  for (let n = 0; n < 12; n++) await worker.result('stream::set', { ...room, item_id: `i${n}`, data: 'x'.repeat(100_000) });
  expect(await worker.errorCode('stream::list', room)).toBe('RESULT_TOO_LARGE');
  expect(await worker.result('stream::list', { ...room, limit: 5 })).toHaveLength(5);
});

test('more calls in flight than a connection may have are OVERLOADED', async () => {
  const { worker, connect } = await start({ worker: { maxInFlightCalls: 3 } });
  const caller = await connect();
  await worker.serve('app::hang', () => new Promise(() => {}));
  for (let n = 0; n < 3; n++) void caller.call('app::hang', {}).catch(() => {});
  expect(await caller.errorCode('app::hang', {})).toBe('OVERLOADED');
});

test('a page of a foreign origin may not open the trusted worker port', async () => {
  const { workerUrl } = await start();
  await expect(RawWorker.connect(workerUrl, { headers: { origin: 'https://evil.example' } })).rejects.toThrow('HTTP 403');
  await expect(RawWorker.connect(workerUrl, { headers: { origin: 'http://localhost.evil.example' } })).rejects.toThrow('HTTP 403');
  await RawWorker.connect(workerUrl, { headers: { origin: 'http://localhost:5173' } });
});

test('C12 an HTTP-invoked function stays registered and is function_not_invokable, which the log says at once, and once', async () => {
  const { worker, log } = await start();
  for (const id of ['app::http', 'app::http-2']) worker.send({ type: 'registerfunction', id, invocation: { url: 'http://127.0.0.1:1/' } });
  await worker.settled();
  const lines = log.filter(({ level, event }) => level === 'warn' && event === 'function_not_invokable');
  expect(lines).toMatchObject([{ fields: { function: 'app::http' } }]);
  expect(await worker.errorCode('app::http', {})).toBe('function_not_invokable');
});
