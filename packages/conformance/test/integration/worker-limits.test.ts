import { LIMITS } from '@rivulet/protocol';
import { type LogLine, startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

async function start(options: Parameters<typeof startTestEngine>[0] = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  /** Returns the log lines of an event: their level and fields without the worker. */
  const lines = (event: string) => started.log.filter((line) => line.event === event).map(lineOf);
  return { ...started, worker, lines };
}

function lineOf({ level, fields }: LogLine) {
  return { level, ...Object.fromEntries(Object.entries(fields).filter(([key]) => key !== 'worker')) };
}

const KINDS = [
  { of: 'functions', frame: { type: 'registerfunction' } },
  { of: 'triggers', frame: { type: 'registertrigger', trigger_type: 'parked', function_id: 'app::f', config: {} } },
  { of: 'trigger types', frame: { type: 'registertriggertype' } },
  { of: 'services', frame: { type: 'registerservice' } },
];

test.each(KINDS)('more $of than a connection may register are refused, with one warning', async ({ of, frame }) => {
  const { worker, lines } = await start();
  for (let n = 0; n < LIMITS.registrationsPerWorker; n++) worker.send({ ...frame, id: `id-${n}` });
  await worker.settled();
  expect(lines('registration_refused')).toEqual([]);
  for (const id of ['one more', 'id-0', 'and more']) worker.send({ ...frame, id });
  await worker.settled();
  const refusal = { of, limit: LIMITS.registrationsPerWorker };
  expect(lines('registration_refused')).toEqual([
    { level: 'warn', ...refusal },
    { level: 'debug', ...refusal },
  ]);
  const answers = worker.inbox.all.filter(({ type }) => type === 'triggerregistrationresult');
  const owed = { error: { code: 'trigger_registration_failed', message: expect.stringContaining(String(LIMITS.registrationsPerWorker)) } };
  expect(answers).toMatchObject(of === 'triggers' ? ['one more', 'and more'].map((id) => ({ id, ...owed })) : []);
});

test('calls beyond the limit that want no answer cause one warning', async () => {
  const { worker, lines } = await start({ worker: { maxInFlightCalls: 1 } });
  await worker.serve('app::hang', () => new Promise(() => {}));
  const hang = { type: 'invokefunction', function_id: 'app::hang', data: {} };
  worker.send({ ...hang, invocation_id: 'first' });
  worker.send({ ...hang, action: { type: 'void' } });
  worker.send(hang);
  worker.send({ ...hang, invocation_id: 'last' });
  expect(await worker.take('invocationresult', ({ invocation_id }) => invocation_id === 'last')).toMatchObject({
    error: { code: 'OVERLOADED' },
  });
  expect(lines('void_call_failed')).toEqual([
    { level: 'warn', function: 'app::hang', code: 'OVERLOADED' },
    { level: 'debug', function: 'app::hang', code: 'OVERLOADED' },
  ]);
});

test('an announcement of longer names than the limit is shortened, whole characters only, with a warning', async () => {
  const { worker, lines } = await start();
  const most = 'n'.repeat(LIMITS.labelChars - 1);
  await worker.result('engine::workers::register', { name: `${most}🙂`, runtime: 'node', version: '1.0.0', pid: 7 });
  expect(lines('announcement_shortened')).toEqual([{ level: 'warn', limit: LIMITS.labelChars, keys: ['name'] }]);
  await worker.result('engine::workers::register', { name: `${most}n`, runtime: 'node', version: '1.0.0', pid: 7 });
  expect(lines('announcement_shortened')).toHaveLength(1);
  const { workers } = (await worker.result('engine::workers::list', { runtime: 'node' })) as { workers: unknown };
  expect(workers).toMatchObject([{ name: `${most}n` }]);
});

test('a line of a worker that is longer than the limit is shortened and says so', async () => {
  const { worker, lines } = await start();
  const most = 'm'.repeat(LIMITS.workerLogChars);
  await worker.result('engine::log::info', { message: most, service_name: 's' });
  await worker.result('engine::log::warn', { message: `${most}m`, service_name: 's'.repeat(5_000) });
  expect(lines('worker_log')).toEqual([
    { level: 'info', service: 's', message: most },
    { level: 'warn', service: 's'.repeat(LIMITS.labelChars), message: most, shortened: true },
  ]);
});

test('what a connection registers is bounded in its text, and what it unregisters makes room', async () => {
  const { worker, log } = await start();
  const metadata = { text: 'x'.repeat(LIMITS.registrationChars / 5) };
  const refused = async () => {
    await worker.settled();
    return log.filter(({ event }) => event === 'registration_refused').map(({ level }) => level);
  };
  const register = (id: string) => worker.send({ type: 'registerfunction', id, metadata });
  for (let n = 0; n < 3; n++) register(`big-${n}`);
  // Registering an id again uses no more of the bound, and a refused registration uses nothing.
  for (let n = 0; n < 3; n++) register('big-0');
  register('engine::big');
  worker.send({ type: 'registertriggertype', id: 'stream', description: metadata.text });
  register('big-3');
  expect(await refused()).toEqual([]);
  register('big-4');
  expect(await refused()).toEqual(['warn']);
  expect(await worker.errorCode('big-4', {})).toBe('function_not_found');
  worker.send({ type: 'registertrigger', id: 't', trigger_type: 'stream', function_id: 'big-0', config: {}, metadata });
  const error = { code: 'trigger_registration_failed', message: expect.stringContaining(String(LIMITS.registrationChars)) };
  expect(await worker.take('triggerregistrationresult')).toMatchObject({ id: 't', error });
  worker.send({ type: 'unregisterfunction', id: 'big-1' });
  const before = await refused();
  worker.send({ type: 'registertrigger', id: 't', trigger_type: 'stream', function_id: 'big-0', config: {}, metadata });
  worker.send({ type: 'unregistertrigger', id: 't' });
  register('big-4');
  expect(await refused()).toEqual(before);
});
