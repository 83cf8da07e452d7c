import { randomUUID } from 'node:crypto';
import { connect } from '@rivulet/client';
import { loadConfig, startEngine } from '@rivulet/engine';
import { registerWorker } from '@rivulet/sdk';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, it, onTestFinished } from 'vitest';

const item = { stream_name: 's', group_id: 'g', item_id: 'i' };
const key = { scope: 's', key: 'k' };
const errorOf = (answer: Frame) => answer.error as { readonly code: string; readonly message: string } | undefined;

it.each([
  ['stream::set', { ...item, data: 1, ttl: 5_000 }, 'ttl', 'ttl_ms'],
  ['stream::set', { ...item, data: 1, ttlMs: 5_000 }, 'ttlMs', 'ttl_ms'],
  ['stream::set', { ...item, data: 1, ifVersion: 'x' }, 'ifVersion', 'if_version'],
  ['stream::set', { ...item, data: 1, idempotencyKey: 'x' }, 'idempotencyKey', 'idempotency_key'],
  ['stream::list', { stream_name: 's', group_id: 'g', with_id: true }, 'with_id', 'with_ids'],
  ['stream::send', { stream_name: 's', group_id: 'g', type: 't', item: 'i' }, 'item', 'item_id'],
  ['stream::list_all', { after: { stream: 's', group: 'g', grup: 'h' } }, 'grup', 'group'],
  ['stream::update', { ...item, ops: [{ type: 'increment', pth: 'n', by: 1 }] }, 'pth', 'path'],
  ['stream::batch', { stream_name: 's', group_id: 'g', writes: [{ type: 'set', item_id: 'i', data: 1, ttl: 9_000 }] }, 'ttl', 'ttl_ms'],
  [
    'stream::batch',
    { stream_name: 's', group_id: 'g', writes: [{ type: 'update', item_id: 'i', ops: [{ type: 'set', paths: 'n', value: 1 }] }] },
    'paths',
    'path',
  ],
  ['state::set', { ...key, value: 1, keys: 'x' }, 'keys', 'key'],
  ['state::update', { ...key, ops: [{ type: 'set', path: 'a', vaule: 1 }] }, 'vaule', 'value'],
  ['state::list', { scope: 's', limits: 1 }, 'limits', 'limit'],
  ['publish', { topic: 't', dta: 1 }, 'dta', 'data'],
  ['engine::functions::list', { includeInternal: true }, 'includeInternal', 'include_internal'],
  ['engine::channels::create', { buffer: 1 }, 'buffer', 'buffer_size'],
])('%s refuses %j: it names the key and the nearest known one, and nothing is done', async (id, input, wrong, known) => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const error = errorOf(await worker.call(id, input));
  expect(error?.code).toBe('deserialization_error');
  expect(error?.message).toContain(`unknown key "${wrong}"; did you mean "${known}"?`);
  expect(await worker.result('stream::list_all', {})).toEqual({ stream: [], count: 0 });
  expect(await worker.result('state::list_groups', {})).toEqual({ groups: [] });
});

it('other unknown keys are ignored and logged once for each worker and key; what SDKs send is not logged', async () => {
  const { workerUrl, log } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const other = await RawWorker.connect(workerUrl);
  const lines = () => log.filter(({ event }) => event === 'unknown_key_ignored').map(({ fields }) => [fields.of, fields.key]);
  const set = { ...item, data: { ttl: 1, stream: 2 }, _caller_worker_id: 'x', _caller: {}, message_type: 'y' };
  for (let n = 0; n < 3; n++) await worker.result('stream::set', set);
  expect(lines()).toEqual([]);
  for (let n = 0; n < 3; n++) await worker.result('stream::set', { ...set, user: 'ann', meta: 1 });
  await other.result('stream::set', { ...set, user: 'bob' });
  expect(lines()).toEqual([
    ['stream::set', 'user'],
    ['stream::set', 'meta'],
    ['stream::set', 'user'],
  ]);
});

it('the announcement of a worker may have any key', async () => {
  const { workerUrl, log } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  await worker.result('engine::workers::register', { name: 'w', names: 1, runtimes: {}, telemetry: {}, features: [], worker_kind: 'x' });
  expect(log.filter(({ event }) => event === 'unknown_key_ignored')).toEqual([]);
});

it.each([
  ['stream', { stream: 'orders' }, 'stream', 'stream_name'],
  ['stream', { stream_name: 'orders', item: 'i' }, 'item', 'item_id'],
  ['stream:join', { streamName: 'orders' }, 'streamName', 'stream_name'],
  ['stream:leave', { group: 'g' }, 'group', 'group_id'],
  ['stream', { stream_name: 'orders', condition: 'f' }, 'condition', 'condition_function_id'],
  ['state', { scop: 'orders' }, 'scop', 'scope'],
  ['subscribe', { topic: 't', topics: 'u' }, 'topics', 'topic'],
  ['http', { api_path: '/x', http_methods: 'POST' }, 'http_methods', 'http_method'],
  ['engine::workers-available', { condition_function: 'f' }, 'condition_function', 'condition_function_id'],
])(
  'a %s trigger with config %j is refused: its registrant learns the key and the nearest known one',
  async (type, config, wrong, known) => {
    const { workerUrl } = await startTestEngine({ http: {} });
    const worker = await RawWorker.connect(workerUrl);
    const id = randomUUID();
    worker.send({ type: 'registertrigger', id, trigger_type: type, function_id: 'app::f', config });
    const error = errorOf(await worker.take('triggerregistrationresult', (frame) => frame.id === id));
    expect(error?.code).toBe('trigger_registration_failed');
    expect(error?.message).toContain(`unknown key "${wrong}"; did you mean "${known}"?`);
    const durable = errorOf(await worker.call('engine::register_trigger', { trigger_type: type, function_id: 'app::f', config }));
    expect(durable?.message).toContain(`did you mean "${known}"?`);
    const { registered_triggers } = (await worker.result('engine::registered-triggers::list', { include_internal: true })) as {
      readonly registered_triggers: readonly unknown[];
    };
    expect(registered_triggers).toEqual([]);
  },
);

it('strict_payloads refuses every unknown key, of payloads and of trigger configs', async () => {
  const config = loadConfig({ cwd: '/nowhere', env: {}, lenient: false });
  const [manager] = config.workerManagers;
  const engine = await startEngine({
    ...config,
    strictPayloads: true,
    workerManagers: manager === undefined ? [] : [{ ...manager, port: 0 }],
    stream: undefined,
    state: { adapter: { kind: 'memory' }, triggersEnabled: true, maxValueBytes: undefined },
    http: undefined,
    admin: undefined,
  });
  onTestFinished(() => engine.stop());
  const worker = await RawWorker.connect(`ws://127.0.0.1:${engine.listeners.find(({ name }) => name === 'worker')?.port}`);
  const set = { ...key, value: 1, _caller_worker_id: 'x', message_type: 'y' };
  await worker.result('state::set', set);
  const error = errorOf(await worker.call('state::set', { ...set, user: 1 }));
  expect(error).toMatchObject({ code: 'deserialization_error', message: expect.stringContaining('unknown key "user"') as string });
  worker.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'app::f', config: { user: 1 }, more: true });
  expect(errorOf(await worker.take('triggerregistrationresult'))?.message).toContain('unknown key "user"');
});

it('a trigger that waits for its type is visible as waiting, and live when the type is there', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const id = await worker.bind('hook', 'app::f', {});
  const state = async () => ((await worker.result('engine::registered-triggers::info', { id })) as Frame).state;
  expect(await state()).toBe('waiting');
  worker.send({ type: 'registertriggertype', id: 'hook' });
  await worker.take('registertrigger');
  expect(await state()).toBe('live');
});

it('unknown options of the client and of the SDK are refused with the nearest known name', () => {
  const options = { tokn: 'x' } as object;
  expect(() => connect('ws://127.0.0.1:1', options)).toThrow('unknown option "tokn"; did you mean "token"?');
  expect(() => connect('ws://127.0.0.1:1', { zzz: 1 } as object)).toThrow('known: token, getToken');
  expect(() => registerWorker('ws://127.0.0.1:1', { workername: 'x' } as object)).toThrow('did you mean "workerName"?');
  const nested = { reconnectionConfig: { maxRetrys: 1 } } as object;
  expect(() => registerWorker('ws://127.0.0.1:1', nested)).toThrow('unknown option "maxRetrys"; did you mean "maxRetries"?');
});

it('C7 a trigger whose config is misspelt in the SDK is refused: it would fire for everything', async () => {
  const worker = registerWorker('ws://127.0.0.1:1', { onWarning: () => {} });
  onTestFinished(() => worker.shutdown());
  for (const key of ['conf', 'Config', 'configuration', 'configs']) {
    const trigger = { type: 'stream', function_id: 'app::f', [key]: { stream_name: 'orders' } } as unknown as { config: unknown };
    expect(() => worker.registerTrigger(trigger as Parameters<typeof worker.registerTrigger>[0])).toThrow('did you mean "config"?');
  }
  worker.registerTrigger({ type: 'stream', function_id: 'app::f', config: {}, metadata: {} });
});

it.each([null, { reconnectionConfig: null }, { reconnection: null }])(
  'C7 options of the SDK that are null are none: %j',
  async (options) => {
    const { workerUrl } = await startTestEngine();
    const worker = registerWorker(workerUrl, options as unknown as Parameters<typeof registerWorker>[1]);
    onTestFinished(() => worker.shutdown());
    expect(await worker.trigger({ function_id: 'engine::health::check', payload: {} })).toEqual({ status: 'ok' });
  },
);
