import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

type Rbac = NonNullable<NonNullable<TestEngineOptions['guest']>['rbac']>;

async function start(rbac: Rbac, grant: Frame = {}) {
  const started = await startTestEngine({ guest: { rbac: { authFunction: 'app::auth', ...rbac } } });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::auth', () => grant);
  return { ...started, worker, connect: () => RawWorker.connect(started.guestUrl) };
}

const set = (worker: RawWorker, n: number) =>
  worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: `i${n}`, data: { n } });

test('RB-7 hooks see the context, rename and deny; each is called once, and what follows waits', async () => {
  const { worker, connect } = await start({ onFunctionRegistration: 'app::on-function' }, { context: { user: 'u1' } });
  const seen: unknown[] = [];
  await worker.serve('app::on-function', (data) => {
    seen.push(data);
    const { function_id } = data as { function_id: string };
    if (function_id === 'throws') throw new WorkerError({ code: 'no', message: 'no' });
    return function_id === 'list' ? [] : { function_id: `renamed::${function_id}` };
  });
  const session = await connect();
  for (const id of ['throws', 'list', 'good']) await session.serve(id, () => id, { description: 'd', metadata: { m: 1 } });
  expect(seen).toEqual(
    ['throws', 'list', 'good'].map((id) => ({ function_id: id, description: 'd', metadata: { m: 1 }, context: { user: 'u1' } })),
  );
  expect(await worker.result('renamed::good', {})).toBe('good');
  expect(await worker.errorCode('throws', {})).toBe('function_not_found');
  expect(await worker.errorCode('list', {})).toBe('function_not_found');
  session.send({ type: 'unregisterfunction', id: 'good' });
  await session.settled();
  expect(await worker.errorCode('renamed::good', {})).toBe('function_not_found');
});

test('RB-7 a trigger that a hook renamed is unregistered by its own id', async () => {
  const { worker, connect } = await start({ onTriggerRegistration: 'app::on-trigger' });
  await worker.serve('app::on-trigger', () => ({ trigger_id: 'renamed' }));
  const session = await connect();
  await session.serve('ui::on', () => undefined);
  const id = await session.bind('stream', 'ui::on', { stream_name: 's' });
  await set(worker, 1);
  await session.take('invokefunction');
  session.send({ type: 'unregistertrigger', id });
  await session.settled();
  await set(worker, 2);
  await session.settled();
  expect(session.inbox.all.filter((frame) => frame.type === 'invokefunction')).toHaveLength(1);
});

test('RB-7 a hook that answers after its session has gone registers nothing', async () => {
  const { worker, connect } = await start({ onFunctionRegistration: 'app::on-function' });
  let answer = (_result: unknown) => {};
  await worker.serve('app::on-function', () => new Promise((resolve) => (answer = resolve)));
  const session = await connect();
  session.send({ type: 'registerfunction', id: 'late' });
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::on-function');
  await session.closeSeenBy(worker);
  answer({});
  await worker.settled();
  expect(await worker.errorCode('late', {})).toBe('function_not_found');
});

test('RB-7 a trigger calls the function that the session named, whatever a hook made of its name', async () => {
  const { worker, connect } = await start({ onFunctionRegistration: 'app::on-function' });
  await worker.serve('app::on-function', (data) => ({ function_id: `u1::${(data as { function_id: string }).function_id}` }));
  const session = await connect();
  for (const id of ['on', 'if']) await session.serve(id, () => true);
  await session.bind('stream', 'on', { stream_name: 's', condition_function_id: 'if' });
  await set(worker, 1);
  for (const id of ['if', 'on']) await session.take('invokefunction', ({ function_id }) => function_id === id);
  session.send({ type: 'unregisterfunction', id: 'if' });
  await session.settled();
  const { registered_triggers } = (await worker.result('engine::registered-triggers::list', {})) as { registered_triggers: unknown[] };
  expect(registered_triggers).toEqual([]);
});

test('RB-8 a prefix is added for others and never seen by the session', async () => {
  const { worker, connect } = await start({}, { function_registration_prefix: 'p' });
  const session = await connect();
  await session.serve('id', (_data, frame) => frame.function_id);
  expect(await worker.result('p::id', {})).toBe('id');
  expect(await worker.errorCode('id', {})).toBe('function_not_found');
  await session.bind('stream', 'id', { stream_name: 's' });
  await set(worker, 1);
  await session.take('invokefunction', (frame) => (frame.data as Frame | null)?.id === 'i1');
  session.send({ type: 'unregisterfunction', id: 'id' });
  await session.settled();
  expect(await worker.errorCode('p::id', {})).toBe('function_not_found');
});

test('RB-9 trigger types may not be registered by default, functions and listed types may', async () => {
  const { worker, connect } = await start({}, { allowed_trigger_types: ['stream'] });
  const session = await connect();
  session.send({ type: 'registertriggertype', id: 'mine', description: '' });
  await session.serve('ui::on', () => undefined);
  await session.bind('state', 'ui::on', {});
  await session.bind('stream', 'ui::on', {});
  const { triggers } = (await worker.result('engine::triggers::list', {})) as { triggers: { id: string }[] };
  expect(triggers.map(({ id }) => id)).not.toContain('mine');
  const bound = (await worker.result('engine::registered-triggers::list', {})) as { registered_triggers: { trigger_type: string }[] };
  expect(bound.registered_triggers.map((row) => row.trigger_type)).toEqual(['stream']);
});

test('a trigger calls neither a hidden target nor a hidden condition', async () => {
  const { worker, connect } = await start({});
  let ran = 0;
  await worker.serve('hidden', () => void ran++);
  const session = await connect();
  await session.serve('ui::on', () => undefined);
  await session.bind('stream', 'hidden', { stream_name: 's' });
  await session.bind('stream', 'ui::on', { stream_name: 's', condition_function_id: 'hidden' });
  for (let n = 0; n < 2; n++) expect(await session.take('triggerregistrationresult')).toMatchObject({ error: { code: 'FORBIDDEN' } });
  await set(worker, 1);
  await worker.settled();
  expect(ran).toBe(0);
});

test('a session takes over nothing of a trusted worker, nor a function that decides who gets in', async () => {
  const { worker, connect } = await start({ onTriggerRegistration: 'app::not-there-yet' });
  await worker.serve('app::mine', () => 'trusted');
  const session = await connect();
  for (const id of ['app::mine', 'app::auth', 'app::not-there-yet']) await session.serve(id, () => 'taken');
  expect(await worker.result('app::mine', {})).toBe('trusted');
  expect(await worker.errorCode('app::not-there-yet', {})).toBe('function_not_found');
  await (await connect()).workerId();
});

test('two sessions that register the same function and trigger both get their events; RB-14 triggers go with their session', async () => {
  const { worker, connect } = await start({});
  const tabs = [await connect(), await connect()] as const;
  for (const tab of tabs) {
    await tab.serve('ui::on', () => undefined);
    await tab.bind('stream', 'ui::on', { stream_name: 's' });
  }
  await set(worker, 1);
  for (const tab of tabs) await tab.take('invokefunction');
  await tabs[1].closeSeenBy(worker);
  const { registered_triggers } = (await worker.result('engine::registered-triggers::list', {})) as {
    registered_triggers: { trigger_type: string }[];
  };
  expect(registered_triggers.filter((row) => row.trigger_type === 'stream')).toHaveLength(1);
  await set(worker, 2);
  await tabs[0].take('invokefunction');
});

test('RB-7 what a session says as provider of its own trigger counts under the name that it gave, and errors name what it sent', async () => {
  const { worker, connect } = await start({ onTriggerRegistration: 'app::on-trigger' }, { allow_trigger_type_registration: true });
  await worker.serve('app::on-trigger', (data) => {
    const { trigger_id } = data as { trigger_id: string };
    return { trigger_id: trigger_id === 'a' ? 'b' : trigger_id };
  });
  const session = await connect();
  await session.serve('ui::on', () => undefined);
  session.send({ type: 'registertriggertype', id: 'tick', description: '' });
  await session.bind('tick', 'ui::on', {}, { id: 'a' });
  expect(await session.take('registertrigger')).toMatchObject({ id: 'a' });
  const error = { code: 'no', message: 'no' };
  session.send({ type: 'triggerregistrationresult', id: 'a', trigger_type: 'tick', function_id: 'ui::on', error });
  expect(await session.take('triggerregistrationresult')).toMatchObject({ id: 'a', error });
  await session.bind('tick', 'hidden', {}, { id: 'b' });
  expect(await session.take('triggerregistrationresult')).toMatchObject({ id: 'b', error: { code: 'FORBIDDEN' } });
});
