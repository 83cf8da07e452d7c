import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

type GuestListener = NonNullable<TestEngineOptions['guest']>;
const match = (pattern: string) => ({ kind: 'match', pattern }) as const;
const everyTrigger = ['stream', 'state', 'subscribe', 'http'];

async function start(rbac: GuestListener['rbac'], grant?: Frame) {
  const started = await startTestEngine({
    http: {},
    guest: { rbac: { ...rbac, ...(grant === undefined ? {} : { authFunction: 'app::auth' }) } },
  });
  const worker = await RawWorker.connect(started.workerUrl);
  if (grant !== undefined) await worker.serve('app::auth', () => grant);
  return { ...started, worker, session: await RawWorker.connect(started.guestUrl) };
}

const ENGINE_IDS = ['stream::set', 'state::get', 'engine::functions::list', 'publish', 'stream::get(chat)', 'engine::sessions::disconnect'];

test.each(['*', '**', 's*', '*::set', '*::get', 'e*', 'engine:*', 'stream:*', '*(chat)', 'p*', '*::*', 'publis*'])(
  'D4 S13 the rule match("%s") reaches no name of the engine',
  async (pattern) => {
    const { worker, session } = await start({ exposeFunctions: [match(pattern)] });
    await worker.serve('stream::get(chat)', () => 1);
    await worker.serve('app::set', () => 1);
    for (const id of ENGINE_IDS) expect(await session.errorCode(id, {})).toBe('FORBIDDEN');
    const { functions } = (await worker.result('engine::functions::list', {})) as { functions: unknown[] };
    expect(functions.length).toBeGreaterThan(0);
  },
);

test('D4 a wildcard still exposes functions of workers', async () => {
  const { worker, session } = await start({ exposeFunctions: [match('*')] });
  await worker.serve('app::f', () => 'mine');
  expect(await session.result('app::f', {})).toBe('mine');
});

test('D4 a literal id and a pattern below a prefix of the engine expose what they name', async () => {
  const { session } = await start({ exposeFunctions: [match('stream::list*'), match('publish'), match('engine::functions::list')] });
  await session.result('stream::list_groups', { stream_name: 's' });
  await session.result('publish', { topic: 't', data: 1 });
  await session.result('engine::functions::list', {});
  expect(await session.errorCode('stream::set', {})).toBe('FORBIDDEN');
});

test('D4 metadata of a worker exposes no name below a prefix of the engine', async () => {
  const { worker, session } = await start({ exposeFunctions: [{ kind: 'metadata', conditions: [{ key: 'public', equals: true }] }] });
  for (const id of ['stream::get(chat)', 'state::custom', 'app::f']) await worker.serve(id, () => id, { metadata: { public: true } });
  for (const id of ['stream::get(chat)', 'state::custom']) expect(await session.errorCode(id, {})).toBe('FORBIDDEN');
  expect(await session.result('app::f', {})).toBe('app::f');
});

test('D4 patterns of an auth answer reach no name of the engine, ids do', async () => {
  const { session } = await start({}, { namespaces: { default: ['*', 'match("*::set")'] }, allowed_functions: ['stream::list_groups'] });
  await session.result('stream::list_groups', { stream_name: 's' });
  for (const id of ['stream::set', 'state::set', 'publish']) expect(await session.errorCode(id, {})).toBe('FORBIDDEN');
});

test('D4 a wildcard lets no trigger of a guest call a function of the engine', async () => {
  const { session } = await start({ exposeFunctions: [match('*')] });
  session.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'stream::set', config: {} });
  expect(await session.take('triggerregistrationresult')).toMatchObject({ error: { code: 'FORBIDDEN' } });
});

const boundOf = (worker: RawWorker) =>
  worker
    .result('engine::registered-triggers::list', {})
    .then((answer) => (answer as { registered_triggers: { trigger_type: string }[] }).registered_triggers.map((row) => row.trigger_type));

async function bindAll(session: RawWorker) {
  await session.serve('ui::on', () => undefined);
  await session.bind('stream', 'ui::on', { stream_name: 's' });
  await session.bind('state', 'ui::on', {});
  await session.bind('subscribe', 'ui::on', { topic: 't' });
  await session.bind('http', 'ui::on', { api_path: '/p' });
}

test('D4 without a list a guest binds as before, and the log says so once for each listener', async () => {
  const { worker, session, guestUrl, log } = await start({}, {});
  await bindAll(session);
  await bindAll(await RawWorker.connect(guestUrl));
  expect(new Set(await boundOf(worker))).toEqual(new Set(everyTrigger));
  const lines = log.filter(({ event }) => event === 'guest_trigger_open');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ level: 'warn', fields: { type: 'stream' } });
});

test('D4 allowed_trigger_types of a listener closes it, also without an auth function', async () => {
  const { worker, session, log } = await start({ allowedTriggerTypes: [] });
  await bindAll(session);
  expect(await boundOf(worker)).toEqual([]);
  expect(log.filter(({ event }) => event === 'guest_trigger_open')).toEqual([]);
});

test('D4 a trigger type must be in the list of the listener and in that of the auth answer', async () => {
  const both = await start({ allowedTriggerTypes: ['stream', 'state'] }, { allowed_trigger_types: ['state', 'http'] });
  await bindAll(both.session);
  expect(await boundOf(both.worker)).toEqual(['state']);
  const listener = await start({ allowedTriggerTypes: ['stream', 'subscribe'] }, {});
  await bindAll(listener.session);
  expect((await boundOf(listener.worker)).sort()).toEqual(['stream', 'subscribe']);
  expect(listener.log.filter(({ event }) => event === 'guest_trigger_open')).toEqual([]);
});

test('D4 a listener with a list lets guests provide no other trigger type', async () => {
  const { worker, session } = await start({ allowedTriggerTypes: ['custom'] });
  for (const id of ['cron', 'custom']) session.send({ type: 'registertriggertype', id, description: 'of a guest' });
  await session.settled();
  expect(await worker.errorCode('engine::triggers::info', { id: 'cron' })).toBe('NOT_FOUND');
  expect(await worker.result('engine::triggers::info', { id: 'custom' })).toMatchObject({ description: 'of a guest' });
});

test('D3 a registration hook that answers unauthorized denies', async () => {
  const { worker, session } = await start({ onFunctionRegistration: 'app::hook' });
  for (const unauthorized of [true, 'true', 1]) {
    await worker.serve('app::hook', () => ({ unauthorized }));
    await session.serve('ui::f', () => 1);
    expect(await worker.errorCode('ui::f', {})).toBe('function_not_found');
  }
  await worker.serve('app::hook', () => ({ unauthorized: false }));
  await session.serve('ui::f', () => 1);
  expect(await worker.result('ui::f', {})).toBe(1);
});

test('D4 a hook can not rename a trigger to a type that the listener closes', async () => {
  const { worker, session } = await start({ allowedTriggerTypes: ['state'], onTriggerRegistration: 'app::hook' });
  await worker.serve('app::hook', () => ({ trigger_type: 'stream' }));
  await session.serve('ui::on', () => undefined);
  await session.bind('state', 'ui::on', {});
  expect(await boundOf(worker)).toEqual([]);
});
