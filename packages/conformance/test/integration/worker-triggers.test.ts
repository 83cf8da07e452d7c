import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

async function start() {
  const started = await startTestEngine();
  const connect = () => RawWorker.connect(started.workerUrl);
  return { ...started, connect, worker: await connect() };
}

test('WP-14 a trigger that is registered before its type and its function fires once both exist', async () => {
  const { worker, connect } = await start();
  const provider = await connect();
  const id = await worker.bind('webhook', 'app::hook', { path: '/x' });
  provider.send({ type: 'registertriggertype', id: 'webhook', description: 'hooks' });
  const binding = await provider.take('registertrigger');
  expect(binding).toMatchObject({ id, trigger_type: 'webhook', function_id: 'app::hook', config: { path: '/x' } });
  await worker.serve('app::hook', () => 'fired');
  expect(await provider.result(String(binding.function_id), {})).toBe('fired');
});

test('WP-16 a provider gets bindings with metadata, their end, and after a restart all of them again', async () => {
  const { worker, connect } = await start();
  const provider = await connect();
  provider.send({ type: 'registertriggertype', id: 'webhook' });
  await provider.settled();
  const id = await worker.bind('webhook', 'app::hook', { a: 1 }, { metadata: { m: 1 } });
  expect(await provider.take('registertrigger')).toEqual({
    type: 'registertrigger',
    id,
    trigger_type: 'webhook',
    function_id: 'app::hook',
    config: { a: 1 },
    metadata: { m: 1 },
  });
  await provider.closeSeenBy(worker);
  const next = await connect();
  next.send({ type: 'registertriggertype', id: 'webhook' });
  expect(await next.take('registertrigger')).toMatchObject({ id, config: { a: 1 } });
  worker.send({ type: 'unregistertrigger', id });
  expect(await next.take('unregistertrigger')).toMatchObject({ id, trigger_type: 'webhook', function_id: 'app::hook' });
  worker.send({ type: 'unregistertrigger', id });
  worker.send({ type: 'unregistertrigger', id: 'never seen' });
  await worker.settled();
  expect(next.inbox.all.filter((frame) => frame.type === 'unregistertrigger')).toHaveLength(1);
});

test('WP-16 an error of the provider parks the binding and reaches its registrant; others are not believed', async () => {
  const { worker, connect } = await start();
  const provider = await connect();
  const stranger = await connect();
  provider.send({ type: 'registertriggertype', id: 'webhook' });
  await provider.settled();
  const id = await worker.bind('webhook', 'app::hook', {});
  await provider.take('registertrigger');
  const error = { code: 'bad_config', message: 'no path' };
  stranger.send({
    type: 'triggerregistrationresult',
    id,
    trigger_type: 'webhook',
    function_id: 'app::hook',
    error: { code: 'x', message: 'forged' },
  });
  await stranger.settled();
  provider.send({ type: 'triggerregistrationresult', id, trigger_type: 'webhook', function_id: 'app::hook', error });
  expect(await worker.take('triggerregistrationresult')).toMatchObject({ id, error });
  worker.send({ type: 'unregistertrigger', id });
  await worker.settled();
  await provider.settled();
  expect(provider.inbox.all.some((frame) => frame.type === 'unregistertrigger')).toBe(false);
});

test.each([
  ['a type that is no string', { trigger_type: 7 }, { trigger_type: '', function_id: 'app::f' }],
  ['no type', { trigger_type: undefined }, { trigger_type: '', function_id: 'app::f' }],
  ['a function that is no string', { function_id: ['f'] }, { trigger_type: 'stream', function_id: '' }],
  ['a function of too long a name', { function_id: 'f'.repeat(2_000) }, { trigger_type: 'stream', function_id: '' }],
  ['a config that is no object', { config: 'all' }, { trigger_type: 'stream', function_id: 'app::f' }],
  ['a filter that is no string', { config: { stream_name: 7 } }, { trigger_type: 'stream', function_id: 'app::f' }],
])('WP §1.10 a trigger that is refused is answered to its registrant: %s', async (_, wrong, owed) => {
  const { worker } = await start();
  worker.send({ type: 'registertrigger', id: 't1', trigger_type: 'stream', function_id: 'app::f', config: {}, ...wrong });
  expect(await worker.take('triggerregistrationresult')).toEqual({
    type: 'triggerregistrationresult',
    id: 't1',
    ...owed,
    error: { code: 'trigger_registration_failed', message: expect.stringMatching(/ must be /) },
  });
  const { registered_triggers } = (await worker.result('engine::registered-triggers::list', {})) as { registered_triggers: Frame[] };
  expect(registered_triggers).toEqual([]);
});

test('WP-16 unregistertriggertype parks the bindings of the type', async () => {
  const { worker, connect } = await start();
  const provider = await connect();
  provider.send({ type: 'registertriggertype', id: 'webhook' });
  await provider.settled();
  const id = await worker.bind('webhook', 'app::hook', {});
  await provider.take('registertrigger');
  provider.send({ type: 'unregistertriggertype', id: 'webhook', description: 'gone' });
  await provider.settled();
  const { trigger_types } = (await worker.result('engine::trigger-types::list', {})) as { trigger_types: Frame[] };
  expect(trigger_types.map((row) => row.id)).not.toContain('webhook');
  provider.send({ type: 'registertriggertype', id: 'webhook' });
  expect(await provider.take('registertrigger')).toMatchObject({ id });
});

test('all triggers of a connection die with it', async () => {
  const { worker, connect } = await start();
  const mortal = await connect();
  let fired = 0;
  await worker.serve('app::f', () => void fired++);
  await mortal.bind('stream', 'app::f', { stream_name: 's' });
  await mortal.closeSeenBy(worker);
  await worker.bind('stream', 'app::f', { stream_name: 's', group_id: 'g' });
  await worker.result('stream::send', { stream_name: 's', group_id: 'g', type: 't', data: 1 });
  await worker.take('invokefunction');
  await worker.settled();
  expect(fired).toBe(1);
});

test('WP-24 only false skips; null, nothing, objects and true proceed; an error skips', async () => {
  const { worker } = await start();
  const fired: string[] = [];
  const answers: Record<string, () => unknown> = {
    yes: () => true,
    no: () => false,
    null: () => null,
    nothing: () => undefined,
    object: () => ({ ok: false }),
    text: () => 'false',
    error: () => {
      throw new WorkerError({ code: 'invocation_failed', message: 'boom' });
    },
  };
  for (const [name, answer] of Object.entries(answers)) {
    await worker.serve(`condition::${name}`, answer);
    await worker.serve(`app::${name}`, () => void fired.push(name));
    await worker.bind('stream', `app::${name}`, { stream_name: 's', condition_function_id: `condition::${name}` });
  }
  await worker.bind('stream', 'app::yes', { stream_name: 's', condition_function_id: 'condition::missing' });
  await worker.result('stream::send', { stream_name: 's', group_id: 'g', type: 't', data: 1 });
  for (const name of ['yes', 'null', 'nothing', 'object', 'text'])
    await worker.take('invokefunction', (frame) => frame.function_id === `app::${name}`);
  await worker.settled();
  expect(fired.sort()).toEqual(['nothing', 'null', 'object', 'text', 'yes']);
});

test('affinity: a trigger is answered by the worker that registered it, when that one has the function', async () => {
  const { worker, connect } = await start();
  const tabs = [await connect(), await connect()];
  for (const tab of tabs) {
    await tab.serve('ui::show', () => undefined);
    await tab.bind('stream', 'ui::show', { stream_name: 's' });
  }
  await worker.result('stream::send', { stream_name: 's', group_id: 'g', type: 't', data: 1 });
  for (const tab of tabs) await tab.take('invokefunction');
  await worker.settled();
  for (const tab of tabs) expect(tab.inbox.all.filter((frame) => frame.type === 'invokefunction')).toHaveLength(1);
});

test('functions-available tells the rows after a burst once; workers-available tells who comes and goes', async () => {
  const { worker, connect } = await start();
  await worker.serve('app::functions', () => undefined);
  await worker.serve('app::workers', () => undefined);
  await worker.bind('engine::functions-available', 'app::functions', {});
  await worker.bind('engine::workers-available', 'app::workers', {});
  const other = await connect();
  for (let n = 0; n < 5; n++) other.send({ type: 'registerfunction', id: `other::${n}` });
  await other.result('engine::workers::register', { name: 'other', pid: 7 });
  const told = await worker.take(
    'invokefunction',
    (frame) => frame.function_id === 'app::functions' && JSON.stringify(frame.data).includes('other::4'),
  );
  expect(told.data).toMatchObject({ event: 'functions_changed' });
  const otherId = await other.workerId();
  await other.close();
  for (const event of ['worker_connected', 'worker_metadata_updated', 'worker_disconnected']) {
    await worker.take('invokefunction', (frame) => (frame.data as Frame).event === event && (frame.data as Frame).worker_id === otherId);
  }
});

test('WP-17 rows of functions, workers and triggers serve both generations of SDKs', async () => {
  const { worker, connect } = await start();
  const old = await connect();
  await old.result('engine::workers::register', {
    runtime: 'node',
    version: '0.11.6',
    name: 'old',
    os: 'linux',
    pid: 4321,
    isolation: null,
  });
  await worker.result('engine::workers::register', { runtime: 'node', version: '0.22.1', name: 'new', os: 'linux', pid: 4322 });
  await old.serve('chat::list', () => [], { description: 'lists', metadata: { a: 1 } });
  await old.serve('chat::hidden', () => [], { metadata: { internal: true } });
  const id = await old.bind('stream', 'chat::list', { stream_name: 'chat' });
  const { functions } = (await worker.result('engine::functions::list', {})) as { functions: Frame[] };
  expect(functions.find((row) => row.function_id === 'chat::list')).toEqual({
    function_id: 'chat::list',
    namespace: 'default',
    worker_name: 'old',
    description: 'lists',
    request_schema: null,
    response_schema: null,
    request_format: null,
    response_format: null,
    metadata: { a: 1 },
  });
  const ids = functions.map((row) => String(row.function_id));
  expect(ids).toEqual([...ids].sort());
  expect(ids.some((each) => each.startsWith('engine::') || each === 'chat::hidden')).toBe(false);
  const all = (await worker.result('engine::functions::list', { include_internal: true })) as { functions: Frame[] };
  expect(all.functions.map((row) => row.function_id)).toEqual(expect.arrayContaining(['engine::workers::list', 'chat::hidden']));
  const listed = (await worker.result('engine::workers::list', {})) as { workers: Frame[]; timestamp: number };
  expect(listed.workers.find((row) => row.name === 'old')).toMatchObject({
    runtime: 'node',
    version: '0.11.6',
    os: 'linux',
    ip_address: '127.0.0.1',
    internal: false,
    status: 'connected',
    function_count: 2,
    functions: ['chat::hidden', 'chat::list'],
    active_invocations: 0,
    pid: 4321,
    isolation: null,
  });
  const instances = (await old.result('engine::triggers::list', {})) as { triggers: Frame[] };
  expect(instances.triggers.find((row) => row.id === id)).toMatchObject({
    trigger_type: 'stream',
    function_id: 'chat::list',
    config: { stream_name: 'chat' },
  });
  const types = (await worker.result('engine::triggers::list', {})) as { triggers: Frame[] };
  expect(types.triggers.map((row) => row.id)).toEqual(
    expect.arrayContaining(['state', 'stream', 'stream:join', 'stream:leave', 'subscribe']),
  );
  const registered = (await worker.result('engine::registered-triggers::list', {})) as { registered_triggers: Frame[] };
  expect(registered.registered_triggers).toMatchObject([{ id, worker_name: 'old' }]);
  expect(await worker.result('engine::functions::info', { function_ids: ['chat::list', 'nope'] })).toMatchObject({
    functions: [{ function_id: 'chat::list' }, { function_id: 'nope', error: 'not_found' }],
  });
  for (const [name, input] of Object.entries({
    'engine::functions::info': { function_id: 'nope' },
    'engine::workers::info': { name: 'nope' },
    'engine::triggers::info': { id: 'nope' },
    'engine::registered-triggers::info': { id: 'nope' },
  })) {
    expect(await worker.errorCode(name, input)).toBe('NOT_FOUND');
  }
  expect(await worker.errorCode('engine::functions::info', {})).toBe('INVALID_ARGUMENTS');
  expect(await worker.result('engine::workers::list', null)).toHaveProperty('workers');
});

test('engine::register_trigger binds for longer than its caller lives', async () => {
  const { worker, connect } = await start();
  const caller = await connect();
  await worker.serve('app::f', () => undefined);
  const { id } = (await caller.result('engine::register_trigger', {
    trigger_type: 'stream',
    function_id: 'app::f',
    config: { stream_name: 's' },
  })) as { id: string };
  await caller.closeSeenBy(worker);
  await worker.result('stream::send', { stream_name: 's', group_id: 'g', type: 't', data: 1 });
  await worker.take('invokefunction');
  expect(await worker.result('engine::unregister_trigger', { id })).toEqual({ removed: true });
  expect(await worker.result('engine::unregister_trigger', { id })).toEqual({ removed: false });
});
