import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const match = (pattern: string) => ({ kind: 'match', pattern }) as const;
const GRANT = { identity: 'ann', context: { role: 'reader' } };

async function start(more: NonNullable<TestEngineOptions['guest']> = {}, grant: Frame = GRANT) {
  const rbac = { authFunction: 'app::auth', exposeFunctions: [match('app::*'), match('ui::*'), match('publish')], ...more.rbac };
  const started = await startTestEngine({ http: {}, guest: { ...more, rbac } });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::auth', () => grant);
  await worker.serve('app::echo', (data) => data);
  const guest = await RawWorker.connect(started.guestUrl);
  const id = await guest.workerId();
  const caller = { kind: 'guest', worker_id: id, session_id: id, identity: 'ann', context: { role: 'reader' } };
  return { ...started, worker, guest, id, caller };
}

test('C6 a function that a guest calls gets its kind, identity and context, beside its worker id', async () => {
  const { guest, id, caller } = await start();
  expect(await guest.result('app::echo', { n: 1 })).toEqual({ n: 1, _caller_worker_id: id, _caller: caller });
  expect(await guest.result('app::echo', {})).toEqual({ _caller_worker_id: id, _caller: caller });
});

test.each([
  ['the key', '"_caller"', '"_caller_worker_id"'],
  ['escapes', String.raw`"\u005fcalle\u0072"`, String.raw`"_caller\u005fworker_id"`],
])('S14 what a guest writes there with %s is replaced', async (_name, callerKey, idKey) => {
  const { guest, id, caller } = await start();
  const data = `{"a":{"_caller":1},${callerKey}:{"identity":"root"},${idKey}:"x",${callerKey}:"twice","__proto__":{"_caller":2}}`;
  guest.sendText(`{"type":"invokefunction","invocation_id":"i","function_id":"app::echo","data":${data}}`);
  const { result } = await guest.take('invocationresult', ({ invocation_id }) => invocation_id === 'i');
  expect(JSON.stringify(result)).toBe(
    JSON.stringify({ a: { _caller: 1 }, ['__proto__']: { _caller: 2 }, _caller_worker_id: id, _caller: caller }),
  );
});

test.each([[[{ _caller: 1 }]], ['text'], [7]])(
  'C6 a payload that is no object stays as it is: %j; the frame names the caller',
  async (payload) => {
    const { worker, guest, caller } = await start();
    expect(await guest.result('app::echo', payload)).toEqual(payload);
    expect((await worker.take('invokefunction', ({ function_id }) => function_id === 'app::echo'))._caller).toEqual(caller);
  },
);

test('C6 without an auth function, or without an identity, the fields are empty', async () => {
  const { guest, id } = await start({}, {});
  expect(await guest.result('app::echo', {})).toMatchObject({
    _caller: { kind: 'guest', worker_id: id, session_id: id, identity: null, context: {} },
  });
});

test('C6 middleware gets the caller as a field, and can hand it on', async () => {
  const { worker, guest, id, caller } = await start({ manager: { middlewareFunction: 'mw::all' } });
  const inputs: Frame[] = [];
  await worker.serve('mw::all', (data) => {
    inputs.push(data as Frame);
    const { function_id, payload, _caller } = data as { function_id: string; payload: object; _caller: unknown };
    return worker.result(function_id, { ...payload, _caller });
  });
  expect(await guest.result('app::echo', { n: 1, _caller: 'root' })).toEqual({
    n: 1,
    _caller_worker_id: await worker.workerId(),
    _caller: caller,
  });
  expect(inputs).toEqual([{ function_id: 'app::echo', payload: { n: 1 }, action: null, context: { role: 'reader' }, _caller: caller }]);
  expect(id).toBe(caller.worker_id);
});

test('S15 a worker that hands on the claim of a guest does not make it true', async () => {
  const { worker, guest, caller } = await start();
  await worker.serve('app::deputy', (data) => worker.result('app::echo', (data as Frame).job));
  const forged = { _caller: { ...caller, identity: 'root', context: { role: 'admin' } } };
  expect(await guest.result('app::deputy', { job: forged })).toMatchObject({ _caller: caller });
  const nameless = { kind: 'guest', worker_id: null, session_id: null, identity: null, context: {} };
  for (const _caller of [
    { ...forged._caller, session_id: 'none' },
    { kind: 'worker' },
    'root',
    null,
    { kind: 'worker', session_id: await worker.workerId() },
  ])
    expect(await guest.result('app::deputy', { job: { _caller } })).toMatchObject({ _caller: nameless });
});

test('S15 what a guest publishes names no caller to subscribers', async () => {
  const { worker, guest } = await start();
  await worker.serve('app::on', () => undefined);
  await worker.bind('subscribe', 'app::on', { topic: 't' });
  await guest.result('publish', { topic: 't', data: { n: 1, _caller: { kind: 'worker' }, _caller_worker_id: 'x' } });
  const { data, _caller } = await worker.take('invokefunction', ({ function_id }) => function_id === 'app::on');
  expect(data).toEqual({ n: 1 });
  expect(_caller).toEqual({ kind: 'trigger' });
});

test('S15 the frame of a call says whether a trusted worker, an HTTP request, a trigger or the engine calls', async () => {
  const { worker, httpUrl } = await start();
  const callerOf = async (id: string) => (await worker.take('invokefunction', ({ function_id }) => function_id === id))._caller;
  await worker.result('app::echo', {});
  expect(await callerOf('app::echo')).toBeUndefined();
  await worker.serve('app::http', () => ({ status_code: 200 }));
  await worker.bind('http', 'app::http', { api_path: '/h' });
  await fetch(`${httpUrl}/h`);
  expect(await callerOf('app::http')).toEqual({ kind: 'http' });
  await worker.serve('app::state', () => undefined);
  await worker.bind('state', 'app::state', {});
  await worker.result('state::set', { scope: 's', key: 'k', value: 1 });
  expect(await callerOf('app::state')).toEqual({ kind: 'trigger' });
  expect(await callerOf('app::auth')).toEqual({ kind: 'engine' });
});

test('C6 a function that a guest serves gets the identity of another guest, and not its context', async () => {
  const { guest, guestUrl, caller } = await start();
  const other = await RawWorker.connect(guestUrl);
  await other.serve('ui::echo', (data) => data);
  expect(await guest.result('ui::echo', {})).toMatchObject({ _caller: { ...caller, context: null } });
});

test('a trusted worker that calls gets what it got before', async () => {
  const { worker } = await start();
  expect(await worker.result('app::echo', { n: 1 })).toEqual({ n: 1, _caller_worker_id: await worker.workerId() });
});
