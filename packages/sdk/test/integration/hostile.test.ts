import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RecordingEngine } from '@rivulet/testkit/engines/recording-engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';
import type { InvocationError } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

const broken = new Proxy(
  {},
  {
    get: () => {
      throw new Error('trap');
    },
    getPrototypeOf: () => {
      throw new Error('trap');
    },
  },
);

function errorWith(properties: PropertyDescriptorMap): Error {
  return Object.defineProperties(new Error('x'), properties);
}

const fails = () => {
  throw new Error('no');
};

test.each<[string, unknown, unknown]>([
  ['a message that is no text', errorWith({ message: { value: 42 } }), '42'],
  ['no message', errorWith({ message: { value: undefined } }), 'undefined'],
  ['a message that fails', errorWith({ message: { get: fails } }), 'a value without a text'],
  ['a stack that is no text', errorWith({ stack: { value: [1] } }), 'x'],
  ['a stack that fails', errorWith({ stack: { get: fails } }), 'x'],
  ['nothing', undefined, 'undefined'],
  ['a symbol', Symbol('s'), 'Symbol(s)'],
  ['an object without a text', Object.create(null), 'a value without a text'],
  ['an object that throws when it is read', broken, 'a value without a text'],
])('a handler that throws %s fails its call and nothing else', async (_, thrown, message) => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- handlers of others do
  worker.registerFunction('app::fails', () => Promise.reject(thrown));
  await settled(worker);
  const caller = await RawWorker.connect(workerUrl);
  const { error } = await caller.call('app::fails', {});
  expect(error).toMatchObject({ code: 'invocation_failed', message });
});

test('frames of any shape end no worker', async () => {
  const engine = await RecordingEngine.start();
  const warned: string[] = [];
  const worker = connectWorker(engine.url, { onWarning: (code) => warned.push(code) });
  worker.registerFunction('f', (input) => input);
  worker.registerTriggerType({ id: 't', description: '' }, { registerTrigger: async () => {}, unregisterTrigger: async () => {} });
  await settled(worker);
  const odd = [null, 1, '', [], {}, true, { a: { b: [] } }, '__proto__', -1];
  const types = 'workerregistered invokefunction invocationresult registertrigger unregistertrigger triggerregistrationresult';
  const fields = 'worker_id reattach_token function_id invocation_id data metadata traceparent result error id trigger_type config code';
  const meant: Frame = { function_id: 'f', trigger_type: 't', id: 'b', invocation_id: 'i' };
  for (const type of `${types} registrationrejected error ping pong nope __proto__`.split(' '))
    for (const field of fields.split(' ')) for (const value of odd) engine.send({ type, ...meant, [field]: value });
  const socket = engine.connections.at(-1)?.socket;
  for (const text of ['', ' ', '{', 'null', '[]', '"x"', '['.repeat(100_000), '{"type":"error"}']) socket?.send(text);
  socket?.send(Buffer.from([0xff, 0xfe]));
  expect(await worker.trigger({ function_id: 'engine::health::check', payload: {} })).toEqual({});
  expect(warned).toContain('deserialization_error');
});

test('a value of any depth that can be stored comes back, and its events reach their handlers', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  const seen = new Inbox<unknown>();
  worker.registerFunction('app::on', ({ event }: { event: { data: unknown } }) => seen.push(event.data));
  worker.registerTrigger({ type: 'stream', function_id: 'app::on', config: { stream_name: 's' } });
  await settled(worker);
  const at = { stream_name: 's', group_id: 'g', item_id: 'i' };
  // The frame adds two levels, so this is the deepest value that fits into one message.
  let data: unknown = 0;
  for (let depth = 0; depth < 62; depth++) data = [data];
  expect(await worker.trigger({ function_id: 'stream::set', payload: { ...at, data } })).toEqual({ old_value: null, new_value: data });
  expect(await seen.take(() => true, 'the event')).toEqual(data);
  expect(await worker.trigger({ function_id: 'stream::list', payload: { ...at, with_ids: true } })).toEqual([{ id: 'i', data }]);
});

test('registrations are made again as they were, whatever became of what they were made of', async () => {
  const engine = await RecordingEngine.start();
  const worker = connectWorker(engine.url, { reconnectionConfig: { initialDelayMs: 1 } });
  const config: Record<string, unknown> = { stream_name: 's' };
  worker.registerFunction('f', () => 1);
  worker.registerTrigger({ type: 'stream', function_id: 'f', config });
  await settled(worker);
  config.itself = config;
  engine.connections.at(-1)?.socket.terminate();
  await expect.poll(() => engine.framesOf(1).map(({ type }) => type)).toContain('registertrigger');
  const [first, second] = [0, 1].map((n) => engine.framesOf(n).find(({ type }) => type === 'registertrigger'));
  expect(second).toEqual(first);
  expect(first?.config).toEqual({ stream_name: 's' });
});

test('calls that come while it closes run no handler', async () => {
  const engine = await RecordingEngine.start();
  const worker = connectWorker(engine.url);
  let ran = 0;
  worker.registerFunction('f', () => ++ran);
  await settled(worker);
  for (let n = 0; n < 5; n++) engine.send({ type: 'invokefunction', invocation_id: `i${n}`, function_id: 'f', data: {} });
  await worker.close();
  expect(ran).toBe(0);
});

test('a timeout that is no number, and a handler that is none, are refused', async () => {
  const engine = await RecordingEngine.start();
  const worker = connectWorker(engine.url);
  const late = worker.trigger({ function_id: 'f', payload: 1, timeoutMs: Number.NaN }).catch((error: InvocationError) => error.code);
  expect(await late).toBe('INVALID_ARGUMENTS');
  for (const handler of [undefined, null, 'text', {}])
    expect(() => worker.registerFunction('f', handler as never)).toThrow(/^INVALID_ARGUMENTS/u);
});
