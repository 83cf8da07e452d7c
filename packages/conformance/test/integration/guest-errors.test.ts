import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const match = (pattern: string) => ({ kind: 'match', pattern }) as const;
const RAW = { code: 'invocation_failed', message: 'secret db password', stacktrace: 'Error: secret\n    at /home/app/secret.ts:1:1' };

async function start(manager: NonNullable<TestEngineOptions['guest']>['manager'] = {}, rbac: object = {}) {
  const exposeFunctions = [match('app::*'), match('stream::*')];
  const started = await startTestEngine({ guest: { rbac: { exposeFunctions, ...rbac }, manager } });
  const worker = await RawWorker.connect(started.workerUrl);
  return { ...started, worker, guest: await RawWorker.connect(started.guestUrl) };
}

const throwing = (body: Frame) => () => {
  throw new WorkerError(body);
};

test('D6 S38 a guest gets a fixed message and the error_id of the log, a trusted worker what was thrown', async () => {
  const { worker, guest, log } = await start();
  await worker.serve('app::f', throwing(RAW));
  const { error } = await guest.call('app::f', {});
  const { error_id: id } = error as { error_id: string };
  expect(error).toEqual({ code: 'invocation_failed', message: expect.not.stringContaining('secret') as string, error_id: id });
  expect(log.find(({ event }) => event === 'function_failed')?.fields).toMatchObject({
    error_id: id,
    function: 'app::f',
    message: RAW.message,
    stack: RAW.stacktrace,
  });
  expect((await worker.call('app::f', {})).error).toEqual(RAW);
});

test('D6 a code that a handler chose keeps its message for a guest, and loses its stack', async () => {
  const { worker, guest } = await start();
  await worker.serve('app::f', throwing({ code: 'NOT_OWNER', message: 'not your order', stacktrace: RAW.stacktrace }));
  expect((await guest.call('app::f', {})).error).toEqual({ code: 'NOT_OWNER', message: 'not your order' });
});

test.each([
  ['no code', { message: 'secret' }],
  ['a result that is no JSON', { code: 'serialization_error', message: 'the result is no JSON: secret' }],
  ['a text that quotes a fault', { code: 'MW_ERROR', message: 'app::g said: invocation_failed: secret db password' }],
])('D6 an error with %s is hidden from a guest', async (_name, body) => {
  const { worker, guest } = await start();
  await worker.serve('app::f', throwing(body));
  const { error } = await guest.call('app::f', {});
  expect(JSON.stringify(error)).not.toContain('secret');
  expect((error as { error_id?: unknown }).error_id).toEqual(expect.any(String));
});

test('D6 what a worker that serves a stream throws is hidden from a guest', async () => {
  const { worker, guest } = await start();
  for (const operation of ['get', 'set', 'delete', 'list', 'list_groups'])
    await worker.serve(`stream::${operation}(orders)`, throwing(RAW));
  const input = { stream_name: 'orders', group_id: 'g', item_id: 'i', data: 1, ops: [{ type: 'set', path: '', value: 1 }] };
  for (const operation of ['get', 'set', 'delete', 'list', 'list_groups', 'update']) {
    const { error } = await guest.call(`stream::${operation}`, input);
    expect(JSON.stringify(error)).not.toMatch(/secret|\.ts/);
    expect((error as { error_id?: unknown }).error_id).toEqual(expect.any(String));
  }
  expect(JSON.stringify((await worker.call('stream::set', input)).error)).toContain('secret');
});

test('D6 what the provider of a trigger type throws is hidden from a guest that registers', async () => {
  const { worker, guest } = await start();
  worker.send({ type: 'registertriggertype', id: 'custom', description: '' });
  await worker.settled();
  await guest.serve('ui::on', () => undefined);
  guest.send({ type: 'registertrigger', id: 't', trigger_type: 'custom', function_id: 'ui::on', config: {} });
  const { id, function_id } = await worker.take('registertrigger');
  worker.send({
    type: 'triggerregistrationresult',
    id,
    trigger_type: 'custom',
    function_id,
    error: { ...RAW, code: 'trigger_registration_failed' },
  });
  const { error } = await guest.take('triggerregistrationresult');
  expect(JSON.stringify(error)).not.toMatch(/secret|\.ts/);
});

test('D6 a middleware that is missing has no name for a guest, and its faults are hidden', async () => {
  const { worker, guest } = await start({ middlewareFunction: 'internal::secret-middleware' });
  await worker.serve('app::f', () => 1);
  const missing = await guest.call('app::f', {});
  expect(missing.error).toMatchObject({ code: 'function_not_found' });
  expect(JSON.stringify(missing.error)).not.toContain('secret');
  await worker.serve('internal::secret-middleware', throwing(RAW));
  expect(JSON.stringify((await guest.call('app::f', {})).error)).not.toContain('secret');
  await worker.serve('internal::secret-middleware', throwing({ code: 'NOT_OWNER', message: 'no' }));
  expect((await guest.call('app::f', {})).error).toEqual({ code: 'NOT_OWNER', message: 'no' });
});

test('decision 12: a guest learns of no namespace through a worker that repeats an error', async () => {
  const { worker, guest, workerUrl } = await start();
  const other = await RawWorker.connect(workerUrl);
  await other.result('engine::workers::register', { name: 'w', namespace: 'hidden-name' });
  await other.serve('inner::f', () => 1);
  await worker.serve('app::f', async () => {
    const { error } = await worker.call('inner::f', {});
    expect(JSON.stringify(error)).toContain('hidden-name');
    throw new WorkerError(error as Frame);
  });
  const { error } = await guest.call('app::f', {});
  expect(error).toEqual({ code: 'function_not_found', message: expect.stringContaining('inner::f') as string });
  expect(JSON.stringify(error)).not.toMatch(/hidden-name|namespace/);
});

test('D6 expose_error_messages gives guests what was thrown', async () => {
  const { worker, guest } = await start({ exposeErrorMessages: true });
  await worker.serve('app::f', throwing(RAW));
  expect((await guest.call('app::f', {})).error).toEqual(RAW);
});

test('S5 S38 lists of the engine give a guest no address, process or name of a worker', async () => {
  const { worker, guest } = await start({}, { exposeFunctions: [match('app::*'), match('engine::*')] });
  const announced = { runtime: 'node', name: 'prod-db-1:4242', os: 'linux secret', pid: 4242 };
  await worker.result('engine::workers::register', announced);
  await worker.serve('app::f', () => 1);
  worker.send({ type: 'registertriggertype', id: 'app::type', description: '' });
  await guest.serve('ui::on', () => undefined);
  await guest.bind('app::type', 'ui::on', {});
  const seen = [
    await guest.result('engine::workers::list', {}),
    await guest.result('engine::workers::info', { name: await worker.workerId() }),
    await guest.result('engine::functions::list', {}),
    await guest.result('engine::functions::info', { function_id: 'app::f' }),
    await guest.result('engine::triggers::list', {}),
    await guest.result('engine::triggers::info', { id: 'app::type' }),
    await guest.result('engine::registered-triggers::list', {}),
  ];
  expect(JSON.stringify(seen)).not.toMatch(/prod-db-1|4242|secret|127\.0\.0\.1/);
  expect(JSON.stringify(seen)).toContain('app::f');
  expect(JSON.stringify(await worker.result('engine::workers::list', {}))).toContain('prod-db-1:4242');
});
