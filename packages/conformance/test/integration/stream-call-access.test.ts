import type { StreamConfig } from '@rivulet/engine';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { jwtConfig, userToken } from '@rivulet/testkit/jwt-tokens';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { callFunction } from '@rivulet/testkit/peers/stream-calls';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const rule = (pattern: string) => ({ kind: 'match', pattern }) as const;

async function start(stream: Partial<StreamConfig>, more: Omit<TestEngineOptions, 'stream'> = {}) {
  const started = await startTestEngine({ stream: { authRejectMode: 'http', ...stream }, ...more });
  const worker = await RawWorker.connect(started.workerUrl);
  for (const id of ['app::read', 'app::write', 'other::read']) await worker.serve(id, () => id);
  return { ...started, worker };
}

const ALL = ['app::read', 'app::write', 'other::read', 'stream::list', 'engine::health::check'];
/** Returns the ids that a client may call. Every other one must be forbidden. */
async function allowed(client: StreamSocket): Promise<readonly string[]> {
  const answers = await Promise.all(ALL.map((id) => callFunction(client, id, {})));
  const refused = answers.filter(({ type, code }) => type === 'call_error' && code === 'FORBIDDEN');
  expect(refused.length + answers.filter(({ type }) => type === 'result').length).toBe(ALL.length);
  return ALL.filter((_, index) => answers[index]?.type === 'result');
}

test.each([
  ['without lists', {}, ['app::read', 'app::write']],
  ['an allowed function', { allowed_functions: ['other::read'] }, ['app::read', 'app::write', 'other::read']],
  ['a forbidden function', { forbidden_functions: ['app::write'] }, ['app::read']],
  ['one in both lists', { allowed_functions: ['app::write'], forbidden_functions: ['app::write'] }, ['app::read']],
  ['a function of the engine', { allowed_functions: ['engine::health::check'] }, ['app::read', 'app::write', 'engine::health::check']],
  ['a pattern', { namespaces: { default: ['match("other::*")'] } }, ['app::read', 'app::write', 'other::read']],
  ['a pattern that reaches no engine name', { namespaces: { default: ['*'] } }, ['app::read', 'app::write', 'other::read']],
])('the auth answer decides about calls: %s', async (_name, answer, expected) => {
  const { streamUrl, worker } = await start({ authFunction: 'test::auth', exposeFunctions: [rule('app::*')] });
  await worker.serve('test::auth', () => answer);
  expect(await allowed(await StreamSocket.open(streamUrl))).toEqual(expected);
});

test('with an empty list only the auth answer allows functions', async () => {
  const { streamUrl, worker } = await start({ authFunction: 'test::auth', exposeFunctions: [] });
  await worker.serve('test::auth', () => ({ allowed_functions: ['app::read'] }));
  expect(await allowed(await StreamSocket.open(streamUrl))).toEqual(['app::read']);
});

test('lists of the wrong type refuse the client, but only where clients may call', async () => {
  const wrong = { allowed_functions: 'app::read' };
  const open = await start({ authFunction: 'test::auth', exposeFunctions: [] });
  await open.worker.serve('test::auth', () => wrong);
  await expect(StreamSocket.open(open.streamUrl)).rejects.toThrow('HTTP 401');
  const closed = await start({ authFunction: 'test::auth' });
  await closed.worker.serve('test::auth', () => wrong);
  expect(await allowed(await StreamSocket.open(closed.streamUrl))).toEqual([]);
});

test('a token and a rule must both allow a function', async () => {
  const { streamUrl } = await start({ jwt: jwtConfig(), exposeFunctions: [rule('app::*'), rule('stream::list')] });
  const open = (call: readonly string[]) => StreamSocket.open(`${streamUrl}/?token=${userToken({ rivulet: { join: [], call } })}`);
  expect(await allowed(await open(['app::*', 'other::*', 'stream::*']))).toEqual(['app::read', 'app::write']);
  expect(await allowed(await open(['*::read']))).toEqual(['app::read']);
  expect(await allowed(await open([]))).toEqual([]);
});

test('a refresh replaces the permissions and the name of the client from the next call on', async () => {
  const { streamUrl, worker } = await start({ authFunction: 'test::auth', exposeFunctions: [rule('app::*')] });
  await worker.serve('test::auth', (data) => {
    const [token] = (data as { query_params: { token?: string[] } }).query_params.token ?? [];
    return token === undefined ? {} : { identity: token, forbidden_functions: ['app::write'], context: { token } };
  });
  await worker.serve('app::who', (data) => (data as { _caller: unknown })._caller);
  const client = await StreamSocket.open(streamUrl);
  expect(await callFunction(client, 'app::who', {})).toMatchObject({ result: { identity: null, context: {} } });
  expect(await allowed(client)).toEqual(['app::read', 'app::write']);
  client.joinWithPositions('s1', 'chat', 'room');
  client.send({ type: 'refresh', data: { token: 'ann' } });
  await client.takeControl('refreshed');
  expect(await callFunction(client, 'app::who', {})).toMatchObject({ result: { identity: 'ann', context: { token: 'ann' } } });
  expect(await allowed(client)).toEqual(['app::read']);
});

test('middleware gets every call in place of the function, with the caller, and can hand it on', async () => {
  const { streamUrl, worker, log } = await start({
    exposeFunctions: [rule('app::*'), rule('engine::health::check')],
    middlewareFunction: 'mw::all',
  });
  const client = await StreamSocket.open(streamUrl);
  // The target never runs without its middleware, and nothing names the middleware.
  const missing = await callFunction(client, 'app::read', {});
  expect(missing).toMatchObject({ type: 'call_error', code: 'function_not_found' });
  expect(JSON.stringify(missing)).not.toContain('mw::');
  expect(log.some(({ event, fields }) => event === 'middleware_failed' && fields.function === 'mw::all')).toBe(true);

  const inputs: Record<string, unknown>[] = [];
  await worker.serve('app::echo', (data) => data);
  await worker.serve('mw::all', async (data) => {
    const input = data as { function_id: string; payload: object; _caller: unknown };
    inputs.push(input);
    if (input.function_id === 'app::read') throw new WorkerError({ code: 'NO', message: 'not now' });
    return worker.result(input.function_id, { ...input.payload, _caller: input._caller });
  });
  const page = { kind: 'page', worker_id: null, session_id: expect.any(String), identity: null, context: {} };
  const forged = { n: 1, _caller: 'root', _caller_worker_id: 'w' };
  const answer = await callFunction(client, 'app::echo', forged, { idempotencyKey: 'k' });
  const caller = { ...page, idempotency_key: expect.stringMatching(/^[\w-]{43}$/) };
  expect(answer).toEqual({ type: 'result', result: { n: 1, _caller: caller, _caller_worker_id: await worker.workerId() } });
  expect(inputs[0]).toEqual({ function_id: 'app::echo', payload: { n: 1 }, action: null, context: null, _caller: caller });
  expect(await callFunction(client, 'app::read', 7)).toMatchObject({ code: 'NO', message: 'not now' });
  expect(inputs[1]).toMatchObject({ payload: 7, _caller: page });
  // Functions of the engine pass no middleware, and a forbidden call does not reach it.
  expect(await callFunction(client, 'engine::health::check', {})).toMatchObject({ result: { status: 'ok' } });
  expect(await callFunction(client, 'other::read', {})).toMatchObject({ code: 'FORBIDDEN' });
  expect(inputs).toHaveLength(2);
});

test('a guest whose function a page calls gets no context, and a guest never serves as the middleware', async () => {
  const stream = { exposeFunctions: [rule('ui::*')], authFunction: 'test::auth', middlewareFunction: undefined };
  const { streamUrl, worker, guestUrl } = await start(stream, { guest: {} });
  await worker.serve('test::auth', () => ({ identity: 'ann', context: { secret: 1 } }));
  const guest = await RawWorker.connect(guestUrl);
  await guest.serve('ui::show', (data, frame) => ({ data, frame: frame._caller }));
  const client = await StreamSocket.open(streamUrl);
  const { result } = await callFunction(client, 'ui::show', {});
  const caller = { kind: 'page', worker_id: null, session_id: expect.any(String), identity: 'ann', context: null };
  expect(result).toEqual({ data: { _caller: caller }, frame: caller });

  const ruled = await start({ exposeFunctions: [rule('app::*')], middlewareFunction: 'ui::mw' }, { guest: {} });
  const thief = await RawWorker.connect(ruled.guestUrl);
  await thief.serve('ui::mw', () => 'stolen');
  expect(await callFunction(await StreamSocket.open(ruled.streamUrl), 'app::read', {})).toMatchObject({ code: 'function_not_found' });
});

test('a worker can act for a page that is connected, and for no other', async () => {
  const { streamUrl, worker } = await start({ exposeFunctions: [rule('app::*')], authFunction: 'test::auth' });
  await worker.serve('test::auth', () => ({ identity: 'ann' }));
  await worker.serve('app::who', (data) => (data as { _caller: unknown })._caller);
  const client = await StreamSocket.open(streamUrl);
  const { result } = await callFunction(client, 'app::who', {});
  const { session_id } = result as { session_id: string };
  const actFor = (fields: object) => worker.result('app::who', { _caller: { kind: 'worker', identity: 'root', ...fields } });
  expect(await actFor({ session_id })).toEqual(result);
  expect(await actFor({ session_id, idempotency_key: 'k' })).toEqual({ ...(result as object), idempotency_key: 'k' });
  await client.close();
  await worker.settled();
  expect(await actFor({ session_id })).toMatchObject({ kind: 'guest', session_id: null, identity: null });
});
