import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { connectOfficial, SDK_VERSIONS, type SdkVersion } from '@rivulet/testkit/peers/official-worker';
import { expect, test } from 'vitest';

const announcesPid = (version: SdkVersion) => version !== '0.2.1' && version !== '0.3.0';

async function start(version: SdkVersion) {
  const started = await startTestEngine();
  return { ...started, worker: await connectOfficial(version, started.workerUrl, 'me') };
}

test.each(SDK_VERSIONS)('SM-1 iii-sdk %s: the list of functions has its own, and not those of the engine', async (version) => {
  const { worker } = await start(version);
  worker.registerFunction('app::mine', () => Promise.resolve(1));
  await worker.settled();
  const { functions } = (await worker.call('engine::functions::list', {})) as { functions: { function_id: string }[] };
  expect(functions).toContainEqual(expect.objectContaining({ function_id: 'app::mine', worker_name: 'me' }));
  expect(functions.filter(({ function_id }) => function_id.startsWith('engine::'))).toEqual([]);
  expect((await worker.helpers.listFunctions?.()) ?? functions).toEqual(functions);
});

test.each(SDK_VERSIONS)('WP-17 iii-sdk %s: the list of workers has it as it announced itself, if it announced a pid', async (version) => {
  const { worker } = await start(version);
  const { workers } = (await worker.call('engine::workers::list', {})) as { workers: { name: string }[] };
  const mine = workers.filter(({ name }) => name === 'me');
  const row = { name: 'me', runtime: 'node', version, status: 'connected', internal: false, pid: process.pid };
  expect(mine).toHaveLength(announcesPid(version) ? 1 : 0);
  for (const each of mine) expect(each).toMatchObject(row);
});

test.each(SDK_VERSIONS)('WP-17 iii-sdk %s: the list of triggers means what it means in that version', async (version) => {
  const { worker } = await start(version);
  worker.registerFunction('app::f', () => Promise.resolve(1));
  worker.registerTrigger({ type: 'stream', function_id: 'app::f', config: { stream_name: 'chat' } });
  await worker.settled();
  const { triggers } = (await worker.call('engine::triggers::list', {})) as { triggers: object[] };
  const binding = { id: expect.any(String) as string, trigger_type: 'stream', function_id: 'app::f', config: { stream_name: 'chat' } };
  const type = { id: 'stream', worker_name: 'engine', description: expect.any(String) as string };
  expect(triggers).toContainEqual(expect.objectContaining(version === '0.22.1' ? type : binding));
  const types = (await worker.call('engine::trigger-types::list', {})) as { trigger_types: object[] };
  expect(types.trigger_types).toContainEqual(expect.objectContaining({ id: 'stream' }));
  const registered = (await worker.call('engine::registered-triggers::list', {})) as { registered_triggers: object[] };
  expect(registered.registered_triggers).toContainEqual(expect.objectContaining(binding));
  expect((await worker.helpers.listTriggers?.()) ?? triggers).toEqual(triggers);
  expect((await worker.helpers.listTriggerTypes?.()) ?? types.trigger_types).toEqual(types.trigger_types);
});

test.each(['0.2.1', '0.3.0', '0.9.0', '0.11.2'] as const)(
  'SM-1 iii-sdk %s: onFunctionsAvailable tells of new functions',
  async (version) => {
    const { worker, workerUrl } = await start(version);
    const told = new Inbox<readonly object[]>();
    const end = worker.helpers.onFunctionsAvailable?.((functions) => told.push(functions));
    await worker.settled();
    const other = await connectOfficial('0.22.1', workerUrl, 'other');
    const has = (id: string) => (functions: readonly object[]) =>
      functions.some((row) => (row as { function_id?: unknown }).function_id === id);
    other.registerFunction('app::new', () => Promise.resolve(1));
    await told.take(has('app::new'), 'the new function');
    end?.();
    await worker.settled();
    const before = told.all.length;
    const control = new Inbox<unknown>();
    other.registerFunction('app::control', (data) => Promise.resolve(control.push(data)));
    other.registerTrigger({ type: 'engine::functions-available', function_id: 'app::control', config: {} });
    other.registerFunction('app::newer', () => Promise.resolve(1));
    await control.take((data) => has('app::newer')((data as { functions: object[] }).functions), 'the newer function');
    await worker.settled();
    expect(told.all).toHaveLength(before);
  },
);

test.each(SDK_VERSIONS)('SM-1 iii-sdk %s: log functions answer with nothing and write to the log of the engine', async (version) => {
  const { worker, log } = await start(version);
  for (const level of ['debug', 'info', 'warn', 'error']) {
    const line = { message: `hello at ${level}`, data: { n: 1 }, service_name: 'me' };
    expect(await worker.call(`engine::log::${level}`, line)).toBeUndefined();
    expect(log).toContainEqual(
      expect.objectContaining({ level, fields: expect.objectContaining({ message: line.message, service: 'me' }) as object }),
    );
  }
});

test.each(SDK_VERSIONS)('WP-18 iii-sdk %s: a caller id that it makes up is replaced by its own', async (version) => {
  const { worker } = await start(version);
  worker.registerFunction('app::who', (data) => Promise.resolve((data as { _caller_worker_id: string })._caller_worker_id));
  await worker.settled();
  const id = await worker.call('app::who', {});
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await worker.call('app::who', { _caller_worker_id: 'somebody else' })).toBe(id);
});

test.each(SDK_VERSIONS)('WP-3 iii-sdk %s: a call without payload runs the function and returns', async (version) => {
  const { worker } = await start(version);
  worker.registerFunction('app::empty', (data) => Promise.resolve({ empty: data === null || data === undefined }));
  await worker.settled();
  expect(await worker.call('app::empty', undefined)).toEqual({ empty: true });
});

test.each(['0.9.0', '0.11.2', '0.11.6', '0.22.1'] as const)(
  'WP-23 iii-sdk %s: metadata of its trigger is kept, and a 0.22.1 function gets it as its second argument',
  async (version) => {
    const { worker, workerUrl } = await start(version);
    const handler = await connectOfficial('0.22.1', workerUrl, 'handler');
    const runs = new Inbox<unknown>();
    handler.registerFunction('app::on', (_data, metadata) => Promise.resolve(runs.push(metadata)));
    await handler.settled();
    worker.registerTrigger({ type: 'stream', function_id: 'app::on', config: {}, metadata: { tenant: 'acme' } });
    await worker.settled();
    await worker.call('stream::set', { stream_name: 's', group_id: 'g', item_id: 'i', data: {} });
    expect(await runs.take(() => true, 'a run')).toEqual({ tenant: 'acme' });
  },
);

test('WP-23 iii-sdk 0.22.1: metadata of a call reaches the function as its second argument; without it there is none', async () => {
  const { worker } = await start('0.22.1');
  worker.registerFunction('app::meta', (_data, metadata) => Promise.resolve({ metadata, has: metadata !== undefined }));
  await worker.settled();
  expect(await worker.call('app::meta', {}, { tenant: 'acme' })).toEqual({ metadata: { tenant: 'acme' }, has: true });
  expect(await worker.call('app::meta', {})).toEqual({ has: false });
});
