import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

type GuestListener = NonNullable<TestEngineOptions['guest']>;
const match = (pattern: string) => ({ kind: 'match', pattern }) as const;

/** Starts an engine whose auth function answers `grant`. The tests try what a hostile page would try. */
async function start(grant: Frame, guest: GuestListener = {}, more: TestEngineOptions = {}) {
  const started = await startTestEngine({ ...more, guest: { ...guest, rbac: { authFunction: 'app::auth', ...guest.rbac } } });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::auth', () => grant);
  const session = await RawWorker.connect(started.guestUrl);
  return { ...started, worker, session, get: (path: string, init?: RequestInit) => fetch(started.httpUrl + path, init) };
}

const mustNotRun = (ran: string[], id: string) => () => void ran.push(id);

test('the middleware of an http trigger must be callable too, or be of the session itself', async () => {
  const { worker, session, get } = await start({ function_registration_prefix: 'p' }, {}, { http: {} });
  const ran: string[] = [];
  await worker.serve('hidden', mustNotRun(ran, 'hidden'));
  await session.serve('page', () => ({ status_code: 200, body: 'page' }));
  await session.serve('mw', () => ({ action: 'continue' }));
  await session.bind('http', 'page', { api_path: '/stolen', middleware_function_ids: ['mw', 'hidden'] });
  expect(await session.take('triggerregistrationresult')).toMatchObject({ error: { code: 'FORBIDDEN' } });
  expect((await get('/stolen')).status).toBe(404);
  expect(ran).toEqual([]);
  await session.bind('http', 'page', { api_path: '/own', middleware_function_ids: ['mw'] });
  expect(await (await get('/own')).json()).toBe('page');
  await session.take('invokefunction', (frame) => frame.function_id === 'mw');
});

test('routes of a session serve only paths that nobody trusted serves, now or later', async () => {
  const { worker, session, get } = await start({}, {}, { http: {} });
  const answering = (body: string) => () => ({ status_code: 200, body });
  await session.serve('taken', answering('taken'));
  await session.bind('http', 'taken', { api_path: '/later/:name' });
  await worker.serve('real', answering('real'));
  for (const path of ['/users/:id', '/login', '/later/:id']) await worker.bind('http', 'real', { api_path: path });
  for (const path of ['/users/me', '/login', '/:any', '/free']) await session.bind('http', 'taken', { api_path: path });
  await session.bind('http', 'taken', { api_path: '/login', http_method: 'POST' });
  expect(worker.inbox.all.filter(({ type }) => type === 'triggerregistrationresult')).toEqual([]);
  for (const path of ['/users/me', '/users/7', '/login', '/later/x']) expect(await (await get(path)).json()).toBe('real');
  expect((await get('/login', { method: 'POST' })).status).toBe(405);
  for (const path of ['/free', '/other']) expect(await (await get(path)).json()).toBe('taken');
});

test('a session decides about no join unless its auth function names the trigger type', async () => {
  const { session, streamUrl } = await start({}, {}, { stream: { joinFailClosed: true } });
  await session.serve('ui::join', () => ({}));
  for (const type of ['stream:join', 'stream:leave']) await session.bind(type, 'ui::join', {});
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s', 'chat', 'room');
  await watcher.take('unauthorized');
  expect(session.inbox.all.filter(({ type }) => type === 'invokefunction')).toEqual([]);
});

test('a session that may answer joins can deny them, and its being there allows none', async () => {
  const { worker, session, streamUrl } = await start({ allowed_trigger_types: ['stream:join'] }, {}, { stream: { joinFailClosed: true } });
  let answer: unknown = {};
  await session.serve('ui::join', () => answer);
  await session.bind('stream:join', 'ui::join', {});
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s', 'chat', 'room');
  await watcher.take('unauthorized');
  await worker.serve('app::join', () => ({}));
  await worker.bind('stream:join', 'app::join', {});
  watcher.join('s', 'chat', 'room');
  await watcher.take('sync');
  answer = { unauthorized: true };
  watcher.join('t', 'chat', 'room');
  await watcher.take('unauthorized');
});

test('a session serves no function that a join waits for, and no stream or state', async () => {
  const { worker, session, streamUrl, log } = await start({}, {}, { stream: { joinFailClosed: true } });
  await worker.result('engine::register_trigger', {
    trigger_type: 'stream:join',
    function_id: 'app::join',
    config: { condition_function_id: 'app::if' },
  });
  const ids = ['app::join', 'app::if', 'stream::get(chat)', 'stream::list(chat)', 'stream::set(chat)', 'state::own'];
  for (const id of ids) await session.serve(id, () => ({}));
  for (const id of ids) expect(await worker.errorCode(id, {})).toBe('function_not_found');
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room', item_id: 'i', data: 1 });
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s', 'chat', 'room');
  await watcher.take('unauthorized');
  expect(log.filter(({ event }) => event === 'registration_denied')).not.toEqual([]);
});

test('engine::register_trigger and engine::unregister_trigger are for trusted workers, whatever is exposed', async () => {
  const { worker, session } = await start({}, { rbac: { exposeFunctions: [match('*')] } });
  await session.serve('ui::on', () => undefined);
  const binding = { trigger_type: 'state', function_id: 'ui::on', config: {} };
  expect(await session.errorCode('engine::register_trigger', binding)).toBe('FORBIDDEN');
  const { id } = (await worker.result('engine::register_trigger', { ...binding, function_id: 'app::auth' })) as { id: string };
  const own = await session.bind('state', 'ui::on', {});
  for (const each of [id, own]) expect(await session.errorCode('engine::unregister_trigger', { id: each })).toBe('FORBIDDEN');
  expect(await worker.result('engine::unregister_trigger', { id })).toEqual({ removed: true });
});

test('of triggers a session sees its own, and unregisters nothing of others', async () => {
  const { worker, session, guestUrl } = await start({}, { rbac: { exposeFunctions: [match('engine::*'), match('api::*')] } });
  await worker.serve('api::f', () => 'there');
  const theirs = await worker.bind('state', 'api::f', { scope: 'secret-scope' });
  const other = await RawWorker.connect(guestUrl);
  await other.serve('ui::on', () => undefined);
  const tabs = await other.bind('stream', 'ui::on', { stream_name: 'secret-stream' });
  await session.serve('ui::on', () => undefined);
  const own = await session.bind('stream', 'ui::on', { stream_name: 's' });
  const { registered_triggers } = (await session.result('engine::registered-triggers::list', {})) as {
    registered_triggers: { id: string }[];
  };
  expect(registered_triggers.map(({ id }) => id)).toEqual([own]);
  for (const id of [theirs, tabs]) expect(await session.errorCode('engine::registered-triggers::info', { id })).toBe('NOT_FOUND');
  expect(JSON.stringify(await session.result('engine::functions::info', { function_id: 'api::f' }))).not.toContain('secret');
  for (const id of [theirs, tabs]) session.send({ type: 'unregistertrigger', id });
  for (const id of ['api::f', 'app::auth', 'ui::on']) session.send({ type: 'unregisterfunction', id });
  session.send({ type: 'unregistertriggertype', id: 'stream' });
  await session.settled();
  const { registered_triggers: left } = (await worker.result('engine::registered-triggers::list', {})) as {
    registered_triggers: { id: string }[];
  };
  // The guest's own trigger ended with its function.
  expect(left.map(({ id }) => id).sort()).toEqual([theirs, tabs].sort());
  expect(await worker.result('api::f', {})).toBe('there');
  await RawWorker.connect(guestUrl);
});

test('a session takes over no trigger of a trusted worker, and no other connection by reattaching', async () => {
  const { worker, session, guestUrl } = await start({});
  await worker.serve('app::on', () => undefined);
  const id = await worker.bind('stream', 'app::on', { stream_name: 's' });
  await session.serve('ui::on', () => undefined);
  await session.bind('stream', 'ui::on', { stream_name: 's' }, { id });
  const token = (session.inbox.all.find(({ type }) => type === 'workerregistered') as Frame).reattach_token;
  for (const reattach_token of [token, undefined, '', null, 1])
    session.send({ type: 'reattach', previous_worker_id: await worker.workerId(), reattach_token });
  await session.settled();
  await worker.result('stream::send', { stream_name: 's', group_id: 'g', type: 't', data: 1 });
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::on');
  expect(session.inbox.all.filter(({ type }) => type === 'invokefunction')).toEqual([]);
  await RawWorker.connect(guestUrl);
});

test('a session says nothing of who calls: not to functions, not to middleware', async () => {
  const seen: unknown[] = [];
  const handler = (data: unknown) => void seen.push(data);
  const forged = { n: 1, _caller_worker_id: 'the-admin' };
  const plain = await start({}, { rbac: { exposeFunctions: [match('api::*')] } });
  await plain.worker.serve('api::f', handler);
  await plain.session.result('api::f', forged);
  const behind = await start({}, { manager: { middlewareFunction: 'app::mw' }, rbac: { exposeFunctions: [match('api::*')] } });
  await behind.worker.serve('app::mw', handler);
  await behind.session.result('api::f', forged);
  const cardOf = (id: string) => ({ kind: 'guest', worker_id: id, session_id: id, identity: null, context: {} });
  const [id, behindId] = [await plain.session.workerId(), await behind.session.workerId()];
  expect(seen).toEqual([
    { n: 1, _caller_worker_id: id, _caller: cardOf(id) },
    { function_id: 'api::f', payload: { n: 1 }, action: null, context: {}, _caller: cardOf(behindId) },
  ]);
});

test('no id leaves its prefix', async () => {
  const { worker, session } = await start({ function_registration_prefix: 'p' });
  const ids = ['app::auth', '::app::x', 'p::x', '../x', '\u0000x', '', 'p', '*'];
  for (const id of ids) await session.serve(id, () => 'mine');
  const { functions } = (await worker.result('engine::functions::list', {})) as { functions: { function_id: string }[] };
  const outside = functions
    .map(({ function_id }) => function_id)
    .filter((id) => !/^(p|engine|stream|state)::/.test(id) && id !== 'publish');
  expect(outside).toEqual(['app::auth']);
  expect(await worker.result('app::auth', {})).toEqual({ function_registration_prefix: 'p' });
});

test('however much is refused, it leaves few lines in the log', async () => {
  const { worker, session, log } = await start({ allowed_trigger_types: ['stream'], allow_trigger_type_registration: true });
  const sent = 2_000;
  for (let n = 0; n < sent; n++) {
    session.send({ type: 'registertrigger', id: `t${n}`, trigger_type: `type-${n}`, function_id: 'app::auth', config: {} });
    session.send({ type: 'registertrigger', id: `u${n}`, trigger_type: 'stream', function_id: `hidden-${n}`, config: {} });
    session.send({ type: 'registerfunction', id: `stream::get(${n})` });
    session.send({ type: 'registertriggertype', id: 'stream', description: '' });
  }
  await session.settled();
  await worker.settled();
  expect(log.filter(({ level }) => level === 'warn').length).toBeLessThan(20);
});
