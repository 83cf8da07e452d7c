import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

/** Starts an engine for these tests: a guest never serves a function that decides about others, in whatever order the workers connect. */
async function start(grant: Frame, { guest, ...more }: TestEngineOptions = {}) {
  const rules = { ...guest, rbac: { authFunction: 'app::auth', ...guest?.rbac } };
  const started = await startTestEngine({ ...more, guest: rules });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::auth', () => grant);
  const session = await RawWorker.connect(started.guestUrl);
  return { ...started, worker, session, status: async (path: string) => (await fetch(started.httpUrl + path)).status };
}

const asked = (session: RawWorker) => session.inbox.all.filter(({ type }) => type === 'invokefunction');

test('a session is not the middleware of the HTTP listener, nor that of a route or its condition', async () => {
  const { worker, session, status } = await start({}, { http: { middleware: [{ functionId: 'app::http-auth', priority: 0 }] } });
  await worker.serve('app::secret', () => ({ body: 'secret' }));
  await worker.bind('http', 'app::secret', { api_path: '/global' });
  await session.serve('app::http-auth', () => ({ action: 'continue' }));
  expect(await status('/global')).toBe(500);
  await worker.serve('app::http-auth', () => ({ action: 'continue' }));
  await worker.bind('http', 'app::secret', { api_path: '/mw', middleware_function_ids: ['app::mw'] });
  await worker.bind('http', 'app::secret', { api_path: '/if', condition_function_id: 'app::if' });
  await session.serve('app::mw', () => ({ action: 'continue' }));
  await session.serve('app::if', () => true);
  for (const path of ['/mw', '/if']) expect(await status(path)).toBe(500);
  expect(asked(session)).toEqual([]);
  await worker.serve('app::mw', () => ({ action: 'continue' }));
  await worker.serve('app::if', () => true);
  for (const path of ['/global', '/mw', '/if']) expect(await status(path)).toBe(200);
});

test('a session that served a function first answers no join that somebody trusted has it asked about later', async () => {
  const { worker, session, streamUrl } = await start({}, { stream: { joinFailClosed: true } });
  for (const id of ['app::join', 'app::if']) await session.serve(id, () => ({}));
  for (const config of [{}, { condition_function_id: 'app::if' }])
    await worker.result('engine::register_trigger', { trigger_type: 'stream:join', function_id: 'app::join', config });
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s', 'chat', 'room');
  await watcher.take('unauthorized');
  expect(asked(session)).toEqual([]);
});

test('a session is asked about no condition of the triggers of somebody trusted', async () => {
  const { worker, session } = await start({});
  await session.serve('app::if', () => false);
  await worker.serve('app::on', () => undefined);
  await worker.bind('state', 'app::on', { condition_function_id: 'app::if' });
  await worker.bind('state', 'app::on', {});
  await worker.result('state::set', { scope: 's', key: 'k', value: 1 });
  await worker.take('invokefunction', ({ function_id }) => function_id === 'app::on');
  await session.settled();
  expect(asked(session)).toEqual([]);
});

test('a session decides where its auth function names the function', async () => {
  const { worker, session, status } = await start({ allowed_functions: ['app::mw'] }, { http: {} });
  await worker.serve('app::secret', () => ({ body: 'secret' }));
  await worker.bind('http', 'app::secret', { api_path: '/mw', middleware_function_ids: ['app::mw'] });
  await session.serve('app::mw', () => ({ action: 'respond', response: { status_code: 418 } }));
  expect(await status('/mw')).toBe(418);
});

test('when a trusted worker registers what a session serves, the registration of the session goes, and its triggers to it', async () => {
  const { worker, session, workerUrl, log } = await start({});
  worker.send({ type: 'registertriggertype', id: 'tick', description: '' });
  await session.serve('admin::wipe', () => 'session');
  await session.serve('own', () => 'session');
  await session.bind('tick', 'admin::wipe', { payload: 'before' }, { id: 'first' });
  await session.bind('tick', 'own', {}, { id: 'own' });
  const admin = await RawWorker.connect(workerUrl);
  await admin.serve('admin::wipe', () => 'wiped');
  expect(await worker.take('unregistertrigger')).toMatchObject({ id: 'first' });
  await session.bind('tick', 'admin::wipe', { payload: 'evil' });
  expect(await session.take('triggerregistrationresult')).toMatchObject({ error: { code: 'FORBIDDEN' } });
  await worker.settled();
  const bound = worker.inbox.all.filter(({ type }) => type === 'registertrigger').map(({ id }) => id);
  expect(bound).toEqual(['first', 'own']);
  expect(log).toContainEqual(expect.objectContaining({ event: 'registration_denied' }));
  await admin.closeSeenBy(worker);
  // The guest's function does not come back by itself, but the guest may register it again.
  expect(await worker.errorCode('admin::wipe', {})).toBe('function_not_found');
  await session.serve('admin::wipe', () => 'session');
  expect(await worker.result('admin::wipe', {})).toBe('session');
});
