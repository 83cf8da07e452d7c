import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { connectOfficial } from '@rivulet/testkit/peers/official-worker';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

type GuestListener = NonNullable<TestEngineOptions['guest']>;

async function start(guest: GuestListener, auth?: (data: unknown) => unknown) {
  const rbac = { ...(auth === undefined ? {} : { authFunction: 'app::auth' }), ...guest.rbac };
  const started = await startTestEngine({ guest: { ...guest, rbac } });
  const worker = await RawWorker.connect(started.workerUrl);
  if (auth !== undefined) await worker.serve('app::auth', auth);
  return { ...started, worker };
}

const match = (pattern: string) => ({ kind: 'match', pattern }) as const;

test('RB-1 auth is called once per connection, with headers, decoded query and address, and nothing else', async () => {
  const inputs: Frame[] = [];
  const { guestUrl } = await start({}, (data) => {
    inputs.push(data as Frame);
    return {};
  });
  await (await RawWorker.connect(`${guestUrl}/?api_key=a%20b&api_key=c&flag`, { headers: { 'X-Test-Token': 'abc' } })).workerId();
  expect(inputs).toEqual([
    {
      headers: expect.objectContaining({ 'x-test-token': 'abc' }),
      query_params: { api_key: ['a b', 'c'], flag: [''] },
      ip_address: '127.0.0.1',
    },
  ]);
  await (await RawWorker.connect(guestUrl)).workerId();
  expect(inputs).toHaveLength(2);
});

test('RB-2 the five steps in order', async () => {
  const { guestUrl, worker } = await start({ rbac: { exposeFunctions: [match('api::*'), match('*::public')] } }, () => ({
    allowed_functions: ['secret::mine', 'api::off'],
    forbidden_functions: ['api::off', 'engine::channels::create'],
  }));
  for (const id of ['secret::mine', 'secret::other', 'api::off', 'api::deep::er', 'xapi::no', 'a::b::public', 'a::public::x'])
    await worker.serve(id, () => id);
  const session = await RawWorker.connect(guestUrl);
  const code = (id: string) => session.errorCode(id, {});
  expect(await code('api::off')).toBe('FORBIDDEN');
  expect(await code('engine::channels::create')).toBe('FORBIDDEN');
  expect(await session.result('secret::mine', {})).toBe('secret::mine');
  expect(await session.result('engine::workers::register', {})).toEqual({ success: true });
  expect(await session.result('api::deep::er', {})).toBe('api::deep::er');
  expect(await session.result('a::b::public', {})).toBe('a::b::public');
  for (const hidden of ['secret::other', 'xapi::no', 'a::public::x', 'nobody::has::it', 'engine::health::check'])
    expect(await code(hidden)).toBe('FORBIDDEN');
});

test('RB-2 keys of a metadata rule must all fit, any rule is enough', async () => {
  const conditions = [
    { key: 'public', equals: true },
    { key: 'tier', pattern: 'pro*' },
  ] as const;
  const { guestUrl, worker } = await start({ rbac: { exposeFunctions: [{ kind: 'metadata', conditions }, match('other')] } });
  await worker.serve('both', () => 1, { metadata: { public: true, tier: 'pro-2' } });
  await worker.serve('one', () => 1, { metadata: { public: true } });
  await worker.serve('text', () => 1, { metadata: { public: 'true', tier: 'pro' } });
  await worker.serve('other', () => 1);
  const session = await RawWorker.connect(guestUrl);
  expect(await session.result('both', {})).toBe(1);
  expect(await session.result('other', {})).toBe(1);
  expect(await session.errorCode('one', {})).toBe('FORBIDDEN');
  expect(await session.errorCode('text', {})).toBe('FORBIDDEN');
});

test.each(['0.11.6', '0.22.1'] as const)('RB-3 FORBIDDEN reaches iii-sdk %s as the code of its error', async (version) => {
  const { guestUrl, worker } = await start({ rbac: { exposeFunctions: [match('api::*'), match('engine::health::check')] } }, () => ({}));
  await worker.serve('api::hello', () => 'hello');
  await worker.serve('hidden', () => 'never');
  const sdk = await connectOfficial(version, guestUrl);
  expect(await sdk.call('api::hello', {})).toBe('hello');
  await expect(sdk.call('hidden', {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(sdk.call('unknown', {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
});

test('RB-4 and RB-5 infrastructure works with nothing exposed, and lists show what may be called', async () => {
  const { guestUrl, worker } = await start({ rbac: { exposeFunctions: [match('engine::functions::*'), match('api::*')] } });
  for (const id of ['api::a', 'hidden']) await worker.serve(id, () => 1);
  await worker.serve('api::internal', () => 1, { metadata: { internal: true } });
  const session = await RawWorker.connect(guestUrl);
  expect(await session.result('engine::channels::create', {})).toHaveProperty('writer');
  const { functions } = (await session.result('engine::functions::list', {})) as { functions: { function_id: string }[] };
  expect(functions.map((row) => row.function_id)).toEqual(['api::a']);
  expect(await session.errorCode('engine::functions::info', { function_id: 'hidden' })).toBe('FORBIDDEN');
  expect(await session.result('engine::functions::info', { function_ids: ['hidden', 'nobody'] })).toEqual({
    functions: [
      { function_id: 'hidden', error: 'forbidden' },
      { function_id: 'nobody', error: 'forbidden' },
    ],
  });
});

test('RB-6 middleware gets the call with its context, its answer is returned, built-ins pass by, void gets no frame', async () => {
  const manager = { middlewareFunction: 'app::mw' };
  const { guestUrl, worker } = await start({ manager, rbac: { exposeFunctions: [match('api::*')] } }, () => ({ context: { user: 'u1' } }));
  const seen: unknown[] = [];
  let ran = 0;
  await worker.serve('api::x', () => void ran++);
  const session = await RawWorker.connect(guestUrl);
  expect(await session.errorCode('api::x', { n: 0 })).toBe('function_not_found');
  await worker.serve('app::mw', (data) => {
    seen.push(data);
    return 'from middleware';
  });
  expect(await session.result('api::x', { n: 1 })).toBe('from middleware');
  expect(await session.result('engine::channels::create', {})).toHaveProperty('reader');
  session.send({ type: 'invokefunction', invocation_id: 'v', function_id: 'api::x', data: 2, action: { type: 'void' } });
  expect((await session.call('api::x', 3, { action: { type: 'enqueue', queue: 'q' } })).result).toBe('from middleware');
  expect(await session.errorCode('hidden', {})).toBe('FORBIDDEN');
  const context = { user: 'u1' };
  const caller = { kind: 'guest', worker_id: await session.workerId(), session_id: await session.workerId(), identity: null, context };
  expect(seen).toEqual([
    { function_id: 'api::x', payload: { n: 1 }, action: null, context, _caller: caller },
    { function_id: 'api::x', payload: 2, action: { type: 'void' }, context, _caller: caller },
    { function_id: 'api::x', payload: 3, action: { type: 'enqueue', queue: 'q' }, context, _caller: caller },
  ]);
  expect(session.inbox.all.filter((frame) => frame.invocation_id === 'v')).toEqual([]);
  expect(ran).toBe(0);
});

const throwing = () => {
  throw new WorkerError({ code: 'invocation_failed', message: 'no' });
};
const HANGS = () => new Promise(() => {});

const refusals: readonly [string, (() => unknown) | undefined, number][] = [
  ['is missing', undefined, 401],
  ['throws', throwing, 401],
  ['answers nothing', () => undefined, 401],
  ['answers a list', () => [], 401],
  ['answers a wrong type', () => ({ allowed_functions: 'api::*' }), 401],
  ['answers an empty prefix', () => ({ function_registration_prefix: '' }), 401],
  ['says unauthorized', () => ({ unauthorized: true }), 401],
  ['hangs', HANGS, 503],
];

test.each(refusals)('RB-10 an auth function that %s lets nobody in: no frame, no row', async (_name, auth, status) => {
  const { guestUrl, worker } = await start(
    { rbac: { authFunction: 'app::auth', ...(auth === HANGS ? { authTimeoutMs: 100 } : {}) } },
    auth,
  );
  const connected: unknown[] = [];
  await worker.serve('app::connected', (event) => void connected.push(event));
  await worker.bind('engine::workers-available', 'app::connected', {});
  await expect(RawWorker.connect(guestUrl)).rejects.toThrow(`HTTP ${status}`);
  await worker.settled();
  expect(connected).toEqual([]);
});

test('RB-10 with auth_error_frame the upgrade completes, says AUTH_ERROR and closes', async () => {
  const { guestUrl } = await start({ rbac: { authErrorFrame: true } }, () => null);
  const session = await RawWorker.connect(guestUrl);
  expect((await session.closed).code).toBe(1008);
  expect(session.inbox.all).toEqual([{ type: 'error', error: { code: 'AUTH_ERROR', message: expect.any(String) } }]);
});

test('RB-11 telemetry on a listener with rules is accepted without asking', async () => {
  let asked = 0;
  const { guestUrl } = await start({}, () => void asked++);
  const exporter = await RawWorker.connect(`${guestUrl}/otel`);
  exporter.sendText('OTLP{}');
  const answered = new Promise((resolve) => exporter.socket.once('pong', resolve));
  exporter.socket.ping();
  await answered;
  expect(asked).toBe(0);
  expect(exporter.socket.readyState).toBe(exporter.socket.OPEN);
});

test('calls of a guest session that want no answer and fail cause one warning each for what the engine says, and one for functions', async () => {
  const { worker, guestUrl, log } = await start({ rbac: { exposeFunctions: [match('api::*')] } }, () => ({}));
  const session = await RawWorker.connect(guestUrl);
  let n = 0;
  await worker.serve('api::fails', () => {
    throw new WorkerError({ code: `code-${n++}`, message: 'no' });
  });
  const failing = ['api::fails', 'api::nobody', 'hidden'];
  for (let round = 0; round < 5; round++)
    for (const function_id of failing) session.send({ type: 'invokefunction', function_id, data: {}, action: { type: 'void' } });
  await session.settled();
  // The first answer comes behind the calls, the second behind their errors.
  for (let round = 0; round < 2; round++) await worker.settled();
  const codes = log.filter(({ event, level }) => event === 'void_call_failed' && level === 'warn').map(({ fields }) => String(fields.code));
  expect(codes.toSorted()).toEqual(['FORBIDDEN', 'code-0']);
});
