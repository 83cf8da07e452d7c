import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RecordingEngine } from '@rivulet/testkit/engines/recording-engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { beforeEach, describe, expect, test } from 'vitest';
import { type LanguageSdk, LanguageWorker, missingSdk } from '../harness/language-worker.js';

const PROTOCOL = readFileSync(fileURLToPath(new URL('../../../../PROTOCOL.md', import.meta.url)), 'utf8');
const SDKS_025 = ['python 0.25.0', 'rust 0.25.0'] as const satisfies readonly LanguageSdk[];
const FEATURES = ['observe.v1', 'local-dispatch.v1', 'large-messages.v1'];
const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;

async function start(sdk: LanguageSdk, env: Readonly<Record<string, string>> = {}, greeting: Frame = {}) {
  const engine = await RecordingEngine.start(greeting);
  return { engine, worker: await LanguageWorker.connect(sdk, engine.url, { env: { OTEL_ENABLED: 'false', ...env } }) };
}

const isAnnouncement = ({ function_id }: Frame) => function_id === 'engine::workers::register';

describe.each(SDKS_025)('iii-sdk %s', (sdk) => {
  beforeEach(({ skip }) => {
    const missing = missingSdk(sdk);
    skip(missing !== undefined, missing);
  });

  test('V25-1 announces its namespace and the features that it has', async () => {
    const { engine } = await start(sdk);
    const announcement = await engine.take('invokefunction', isAnnouncement);
    expect(announcement).toMatchObject({ action: { type: 'void' }, data: { version: '0.25.0', features: FEATURES } });
    expect((announcement.data as Frame).namespace ?? null).toBeNull();
    expect(announcement).not.toHaveProperty('invocation_id');
  });

  test('V25-2 names its namespace in calls and triggers, default for engine::*, and in no registration of a function', async () => {
    const { engine, worker } = await start(sdk, { III_NAMESPACE: 'tenant' });
    await worker.serve('app::f', 'echo');
    await worker.bind('stream', 'app::f', { stream_name: 's' });
    await worker.provide('hook');
    await worker.call('x::y', {});
    const announcement = await engine.take('invokefunction', isAnnouncement);
    expect(announcement.data).toMatchObject({ namespace: 'tenant' });
    expect(announcement).not.toHaveProperty('namespace');
    expect(await engine.take('invokefunction', ({ function_id }) => function_id === 'x::y')).toMatchObject({ namespace: 'tenant' });
    const health = await engine.take('invokefunction', ({ function_id }) => function_id === 'engine::health::check');
    expect(health).toMatchObject({ namespace: 'default' });
    expect(await engine.take('registertrigger')).toMatchObject({ namespace: 'tenant' });
    for (const type of ['registerfunction', 'registertriggertype']) expect(await engine.take(type)).not.toHaveProperty('namespace');
  });

  test('V25-3 without a namespace it sends none, but for engine::*', async () => {
    const { engine, worker } = await start(sdk);
    await worker.serve('app::f', 'echo');
    await worker.bind('stream', 'app::f', { stream_name: 's' });
    await worker.call('x::y', {});
    expect(await engine.take('invokefunction', ({ function_id }) => function_id === 'x::y')).not.toHaveProperty('namespace');
    expect(await engine.take('registertrigger')).not.toHaveProperty('namespace');
  });

  test('V25-4 after a reconnect its first frame is reattach, its announcement comes after what it replays', {
    timeout: 120_000,
  }, async () => {
    const { engine, worker } = await start(sdk);
    await worker.serve('app::f', 'echo');
    await worker.bind('stream', 'app::f', { stream_name: 's' });
    await worker.provide('hook');
    engine.connections[0]?.socket.close(1012);
    await engine.take('reattach');
    await worker.settled();
    const replayed = engine.framesOf(engine.connections.length - 1).map((frame) => (isAnnouncement(frame) ? 'announcement' : frame.type));
    // A call of the worker may come between these frames.
    expect(replayed.filter((type) => type !== 'invokefunction').slice(0, 5)).toEqual([
      'reattach',
      'registertriggertype',
      'registerfunction',
      'registertrigger',
      'announcement',
    ]);
  });

  test('V25-5 a refused function leaves the connection open, and its other functions serve', async () => {
    const { engine, worker } = await start(sdk);
    await worker.serve('app::f', 'echo');
    await worker.serve('app::g', 'echo');
    const refused = { type: 'registrationrejected', code: 'FUNCTION_NAMESPACE_CONFLICT', namespace: 'default', function_id: 'app::f' };
    engine.send({ ...refused, owner_worker_id: id(9) });
    engine.send({ type: 'invokefunction', invocation_id: id(1), function_id: 'app::g', data: 1 });
    expect(await engine.take('invocationresult')).toMatchObject({ invocation_id: id(1), result: { got: 1 } });
    await worker.settled();
    expect(engine.connections).toHaveLength(1);
  });

  test('V25-6 it survives frames that it does not know or can not read, and answers those that follow', async () => {
    const { engine, worker } = await start(sdk);
    await worker.serve('app::f', 'echo');
    engine.send({ type: 'of-tomorrow' });
    engine.send({ type: 'invokefunction', invocation_id: 'not-a-uuid', function_id: 'app::f', data: null });
    engine.send({ type: 'invokefunction', invocation_id: id(1), function_id: 'app::f' });
    engine.send({ type: 'invokefunction', invocation_id: id(2), function_id: 'app::f', data: 1 });
    await engine.take('invocationresult', ({ invocation_id }) => invocation_id === id(2));
    await worker.settled();
    const answered = engine.frames.all.map(({ frame }) => frame).filter(({ type }) => type === 'invocationresult');
    // The SDK for Rust drops a call without `data`, and a call whose id is not a UUID.
    const expected = sdk === 'rust 0.25.0' ? [id(2)] : ['not-a-uuid', id(1), id(2)];
    expect(answered.map(({ invocation_id }) => invocation_id)).toEqual(expected);
  });

  test('V25-7 works with this engine inside a namespace: calls, triggers, streams, and reaches no function of another', async () => {
    const { workerUrl, streamUrl } = await startTestEngine();
    const worker = await LanguageWorker.connect(sdk, workerUrl, { env: { OTEL_ENABLED: 'false', III_NAMESPACE: 'tenant' } });
    const raw = await RawWorker.connect(workerUrl);
    await raw.serve('raw::echo', (data) => data);
    await worker.serve('app::on', 'record');
    await worker.bind('stream', 'app::on', { stream_name: 'chat' });
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    await worker.call('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'm1', data: { id: 'm1' } });
    expect((await worker.took('app::on')).data).toEqual(await watcher.take('create'));
    await expect(worker.call('raw::echo', 7)).rejects.toThrow('it is registered in "default"');
    const announcement = { name: 'raw', pid: 1, namespace: 'tenant' };
    await raw.result('engine::workers::register', announcement);
    expect(await worker.call('raw::echo', 7)).toBe(7);
    expect(raw.inbox.all.filter(({ namespace }) => namespace !== undefined)).toEqual([]);
  });
});

/** The messages of 0.25 for features that this engine does not have. The engine announces no `features`. */
const OF_025: readonly Frame[] = [
  { type: 'observe', id: id(1), source: { function_id: 'app::g', filters: { 'input.a': 1 } }, target: { function_id: 'app::f' } },
  { type: 'unobserve', id: id(1) },
  { type: 'observerack', function_id: 'app::f', id: id(1), revision: 1 },
  { type: 'invocationsobserved', items: [{}] },
  { type: 'localinvocationstats', window_ms: 10_000, functions: [], dropped_reports: [] },
];

test('V25-8 the engine ignores the messages of features that it does not announce, and reads past the new keys of others', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  expect(await worker.take('workerregistered')).not.toHaveProperty('features');
  for (const frame of OF_025) worker.send(frame);
  await worker.serve('app::f', (data) => data, { observe: { delivery: 'auto', allow: true } });
  const more = { namespace: 'default', observe_depth: 1, caller: { worker_id: id(3) }, activation: { observer_id: id(1) } };
  expect((await worker.call('app::f', 1, more)).result).toBe(1);
  const dispatched = await worker.take('invokefunction');
  for (const key of Object.keys(more)) expect(dispatched).not.toHaveProperty(key);
});

test.skipIf(missingSdk('python 0.25.0') !== undefined)(
  'V25-9 against an engine without observe.v1 the SDK sends no observe message',
  async () => {
    const { engine, worker } = await start('python 0.25.0');
    await worker.serve('app::f', 'echo');
    expect(await worker.observe('app::g', 'app::f')).toBe('error UNSUPPORTED');
    await worker.settled();
    expect(engine.framesOf(0).filter(({ type }) => type === 'observe')).toEqual([]);
  },
);

test('every observation is written down in PROTOCOL.md, and every one there has a test', () => {
  const documented = [...PROTOCOL.matchAll(/^### (V25-\d+)$/gm)].map(([, rule]) => rule);
  const source = readFileSync(fileURLToPath(import.meta.url), 'utf8');
  const tested = [...source.matchAll(/\(\s*'(V25-\d+) /g)].map(([, rule]) => rule);
  expect(tested).toEqual(documented);
});
