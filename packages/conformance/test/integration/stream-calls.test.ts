import type { StreamConfig } from '@rivulet/engine';
import { registerWorker } from '@rivulet/sdk';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { type CallAnswer, callFunction } from '@rivulet/testkit/peers/stream-calls';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';

const rule = (pattern: string) => ({ kind: 'match', pattern }) as const;
const APP: Partial<StreamConfig> = { exposeFunctions: [rule('app::*')] };

async function start(stream: Partial<StreamConfig> = APP, more: Omit<TestEngineOptions, 'stream'> = {}) {
  const started = await startTestEngine({ stream, ...more });
  const worker = await RawWorker.connect(started.workerUrl);
  return { ...started, worker };
}

const codeOf = async (answer: Promise<CallAnswer>) => (await answer).code;

test('RV-60, RV-61: a client calls a function of a worker and gets its result, without any join', async () => {
  const { streamUrl, worker } = await start();
  await worker.serve('app::add', (data) => {
    const { a, b } = data as { a: number; b: number };
    return a + b;
  });
  await worker.serve('app::nothing', () => undefined);
  const client = await StreamSocket.open(streamUrl);
  expect(await callFunction(client, 'app::add', { a: 1, b: 2 })).toEqual({ type: 'result', result: 3 });
  expect(await callFunction(client, 'app::nothing', {})).toEqual({ type: 'result' });
});

test('RV-61: an error of the function keeps its code, and one that was thrown gets an error id', async () => {
  const { streamUrl, worker, log } = await start();
  await worker.serve('app::refuse', () => {
    throw new WorkerError({ code: 'NOT_OWNER', message: 'not yours' });
  });
  await worker.serve('app::crash', () => {
    throw new WorkerError({ code: 'invocation_failed', message: 'secret', stacktrace: 'at secret' });
  });
  const client = await StreamSocket.open(streamUrl);
  expect(await callFunction(client, 'app::refuse', {})).toEqual({ type: 'call_error', code: 'NOT_OWNER', message: 'not yours', ran: true });
  const { errorId, message, ...crash } = await callFunction(client, 'app::crash', {});
  expect(crash).toEqual({ type: 'call_error', code: 'invocation_failed', ran: true });
  expect(message).not.toContain('secret');
  expect(log.find(({ event }) => event === 'function_failed')?.fields).toMatchObject({ error_id: errorId, message: 'secret' });
});

test('calls wait for the worker that serves their functions', async () => {
  const { streamUrl, worker } = await start();
  const ran: unknown[] = [];
  await worker.serve('app::ping', () => 'pong');
  const client = await StreamSocket.open(streamUrl);
  const answers = [
    callFunction(client, 'app::late', 1),
    callFunction(client, 'app::later', 2),
    callFunction(client, 'app::late', 3, { idempotencyKey: 'k3' }),
  ];
  // The engine has the calls before this one.
  expect(await callFunction(client, 'app::ping', {})).toMatchObject({ result: 'pong' });
  const note = (data: unknown) => ran.push((data as { value: number }).value);
  await Promise.all([worker.serve('app::later', note), worker.serve('app::late', note)]);
  expect(await Promise.all(answers)).toMatchObject([{ result: 1 }, { result: 2 }, { result: 3 }]);
  expect(new Set(ran)).toEqual(new Set([1, 2, 3]));
});

test('nothing can be called without expose_functions, and only what a rule exposes with it', async () => {
  const closed = await start({});
  await closed.worker.serve('app::open', () => 1);
  const first = await StreamSocket.open(closed.streamUrl);
  expect(await codeOf(callFunction(first, 'app::open', {}))).toBe('FORBIDDEN');

  const { streamUrl, worker } = await start({
    exposeFunctions: [rule('app::*'), { kind: 'metadata', conditions: [{ key: 'public', equals: true }] }],
  });
  await worker.serve('app::open', () => 1);
  await worker.serve('other::open', () => 2);
  await worker.serve('other::public', () => 3, { metadata: { public: true } });
  const client = await StreamSocket.open(streamUrl);
  expect(await callFunction(client, 'app::open', {})).toMatchObject({ result: 1 });
  expect(await callFunction(client, 'other::public', {})).toMatchObject({ result: 3 });
  // A hidden function and a missing one get the same answer, unless a rule exposes the id.
  const [hidden, missing, unserved] = await Promise.all([
    callFunction(client, 'other::open', {}),
    callFunction(client, 'other::none', {}),
    callFunction(client, 'app::none', {}),
  ]);
  expect(hidden).toEqual({ ...missing, message: String(missing.message).replace('none', 'open') });
  expect([hidden.code, unserved.code]).toEqual(['FORBIDDEN', 'function_not_found']);
  // Functions of the engine need a rule that names them, and pages have none that workers and guests always have.
  for (const id of [
    'stream::set',
    'engine::health::check',
    'engine::workers::register',
    'engine::log::info',
    'engine::channels::create',
    'publish',
  ])
    expect([id, await codeOf(callFunction(client, id, {}))]).toEqual([id, 'FORBIDDEN']);
});

test('the function gets the name of the page, which the page can not forge', async () => {
  const { streamUrl, worker } = await start({ ...APP, authFunction: 'test::auth' });
  const frames: unknown[] = [];
  await worker.serve('test::auth', () => ({ identity: 'ann', context: { role: 'editor' } }));
  await worker.serve('app::echo', (data, frame) => {
    frames.push(frame._caller);
    return data;
  });
  const client = await StreamSocket.open(streamUrl);
  const forged = { n: 1, _caller: { kind: 'worker' }, _caller_worker_id: 'w1', deep: { _caller: 1 } };
  const { result } = await callFunction(client, 'app::echo', forged);
  const session_id = (result as { _caller: { session_id: string } })._caller.session_id;
  const caller = { kind: 'page', worker_id: null, session_id, identity: 'ann', context: { role: 'editor' } };
  expect(result).toEqual({ n: 1, deep: { _caller: 1 }, _caller: caller });
  for (const value of [7, 'text', null, [1, 2], true])
    expect(await callFunction(client, 'app::echo', value)).toMatchObject({ result: { value, _caller: caller } });
  expect(frames).toEqual(Array.from({ length: 6 }, () => caller));
  const { result: keyed } = await callFunction(client, 'app::echo', {}, { idempotencyKey: 'k1' });
  expect(keyed).toEqual({ _caller: { ...caller, idempotency_key: expect.stringMatching(/^[\w-]{43}$/) } });
});

test('a handler of the SDK gets the value of the page and the page as its caller', async () => {
  const { streamUrl, workerUrl } = await start();
  const sdk = registerWorker(workerUrl);
  onTestFinished(() => sdk.shutdown());
  sdk.registerFunction('app::who', (data: unknown, _metadata, { caller }) => ({ data, caller }));
  await sdk.trigger({ function_id: 'engine::health::check', payload: {} });
  const client = await StreamSocket.open(streamUrl);
  const page = { kind: 'page', worker_id: null, session_id: expect.any(String), identity: null, context: {} };
  expect(await callFunction(client, 'app::who', 'hello', { idempotencyKey: 'k1' })).toMatchObject({
    result: { data: 'hello', caller: { ...page, idempotency_key: expect.any(String) } },
  });
  expect(await callFunction(client, 'app::who', { value: 5 })).toMatchObject({
    result: { data: { value: 5, _caller: page }, caller: page },
  });
});

test('RV-62: the answer has the positions of the groups that the connection watches', async () => {
  const { streamUrl, worker } = await start();
  const write = (item_id: string) => worker.result('stream::set', { stream_name: 'board', group_id: 'main', item_id, data: 1 });
  await worker.serve('app::write', async () => {
    await write('a');
    await write('b');
  });
  await worker.serve('app::fail', async () => {
    await write('c');
    throw new WorkerError({ code: 'LATE', message: 'too late' });
  });
  const client = await StreamSocket.open(streamUrl);
  client.joinWithPositions('s1', 'board', 'main');
  const { epoch } = await client.take('sync');
  const groups = [
    { streamName: 'other', groupId: 'main' },
    { streamName: 'board', groupId: 'main' },
  ];
  const at = (offset: number) => [null, { streamName: 'board', groupId: 'main', epoch, offset }];
  expect(await callFunction(client, 'app::write', {}, { confirm: groups })).toEqual({ type: 'result', positions: at(2) });
  expect(await callFunction(client, 'app::fail', {}, { confirm: groups })).toMatchObject({ code: 'LATE', positions: at(3) });
  client.leave('s1', 'board', 'main');
  client.joinWithPositions('s2', 'board', 'main', { id: 'a' });
  await client.take('sync');
  expect(await callFunction(client, 'app::write', {}, { confirm: groups })).toMatchObject({ positions: at(5) });
});

test('RV-62: before the answer, a client that watches only items gets caught_up at the position', async () => {
  const { streamUrl, worker } = await start();
  await worker.serve('app::write', async () => {
    for (const item_id of ['a', 'other']) await worker.result('stream::set', { stream_name: 'board', group_id: 'main', item_id, data: 1 });
  });
  const client = await StreamSocket.open(streamUrl);
  client.joinWithPositions('s1', 'board', 'main', { id: 'a' });
  const { epoch } = await client.take('sync');
  const confirm = [{ streamName: 'board', groupId: 'main' }];
  const { positions } = await callFunction(client, 'app::write', {}, { confirm });
  expect(positions).toEqual([{ streamName: 'board', groupId: 'main', epoch, offset: 2 }]);
  expect(client.inbox.all.slice(-3)).toMatchObject([
    { type: 'stream', id: 'a', offset: 1 },
    { type: 'caught_up', data: { subscriptionId: 's1', epoch, offset: 2 } },
    { type: 'result' },
  ]);
  // A client that watches the group sees its position by itself.
  client.joinWithPositions('s2', 'board', 'main');
  await client.take('sync');
  await callFunction(client, 'app::write', {}, { confirm });
  expect(client.inbox.all.filter(({ type }) => type === 'caught_up')).toHaveLength(1);
});
