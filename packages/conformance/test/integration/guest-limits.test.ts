import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const NO_RATES = { maxFramesPerSecond: 0, maxCallsPerSecond: 0, maxBytesPerSecond: 0 };

async function start(options: TestEngineOptions = {}) {
  const engine = await startTestEngine({
    ...options,
    guest: {
      rbac: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }], ...options.guest?.rbac },
      manager: { ...NO_RATES, maxMessageBytes: LIMITS.guestMessageBytes, ...options.guest?.manager },
    },
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  const guest = () => RawWorker.connect(engine.guestUrl);
  const refusals = () => engine.log.filter(({ event, level }) => event === 'registration_refused' && level === 'warn');
  return { ...engine, worker, guest, refusals };
}

async function functionsOf(worker: RawWorker): Promise<number> {
  const { functions } = (await worker.result('engine::functions::list', {})) as { functions: { function_id: string }[] };
  return functions.filter(({ function_id }) => function_id.startsWith('guest')).length;
}

test('E8 one guest registers a bounded number of characters, values in its formats included', async () => {
  const { worker, guest, refusals } = await start();
  const first = await guest();
  const description = 'd'.repeat(30_000);
  for (let n = 0; n < 200; n++) first.send({ type: 'registerfunction', id: `guest-1-${n}`, description });
  await first.settled();
  expect(await functionsOf(worker)).toBe(Math.floor(LIMITS.registrationCharsPerGuest / 30_500));
  expect(refusals()).toMatchObject([{ fields: { of: 'functions', limit: LIMITS.registrationCharsPerGuest } }]);
  const second = await guest();
  // Empty arrays are short as text and large as values.
  const request_format = Array.from({ length: 20_000 }, () => []);
  for (let n = 0; n < 10; n++) second.send({ type: 'registerfunction', id: `guest-2-${n}`, request_format });
  await second.settled();
  expect(refusals()).toHaveLength(2);
});

test('E8 all guests together have a bound, which leaves workers alone and is free again when guests leave', async () => {
  const { worker, guest, refusals } = await start();
  const description = 'd'.repeat(500_000);
  const guests: RawWorker[] = [];
  const most = Math.floor(LIMITS.guestRegistrationChars / 500_200);
  for (let n = 0; n <= most; n++) {
    const one = await guest();
    one.send({ type: 'registerfunction', id: `guest-${n}`, description });
    await one.settled();
    guests.push(one);
  }
  expect(await functionsOf(worker)).toBe(most);
  expect(refusals()).toMatchObject([{ fields: { of: 'functions', reason: expect.stringContaining('together') } }]);
  await worker.serve('app::own', () => 1, { description: 'd'.repeat(2_000_000) });
  expect(await worker.result('app::own', {})).toBe(1);
  for (const one of guests.slice(0, 5)) await one.closeSeenBy(worker);
  const late = await guest();
  late.send({ type: 'registerfunction', id: 'guest-late', description });
  await late.settled();
  expect(await functionsOf(worker)).toBe(most - 4);
});

test('E8 a guest has a bound of calls in flight, in number and in size', async () => {
  const { worker, guest } = await start();
  await worker.serve('app::hang', () => new Promise(() => {}));
  const one = await guest();
  for (let n = 0; n < LIMITS.guestInFlightCalls; n++)
    one.send({ type: 'invokefunction', invocation_id: `i${n}`, function_id: 'app::hang', data: {} });
  expect(await one.errorCode('app::hang', {})).toBe('OVERLOADED');
  const other = await guest();
  for (let n = 0; n < 3; n++)
    other.send({ type: 'invokefunction', invocation_id: `i${n}`, function_id: 'app::hang', data: 'x'.repeat(1_000_000) });
  expect(await other.take('invocationresult')).toMatchObject({ invocation_id: 'i2', error: { code: 'OVERLOADED' } });
});

test('E8 a guest that calls for large answers and reads none owns a bounded queue, and gets its answers when it reads', async () => {
  const { worker, guest, log } = await start();
  await worker.serve('app::large', () => 'x'.repeat(1_000_000));
  const one = await guest();
  one.socket.pause();
  const ids = Array.from({ length: 60 }, (_, n) => `i${n}`);
  for (const invocation_id of ids) one.send({ type: 'invokefunction', invocation_id, function_id: 'app::large', data: {} });
  while (!log.some(({ event }) => event === 'answers_unread')) await worker.settled();
  one.socket.resume();
  const answers = await Promise.all(ids.map((id) => one.take('invocationresult', ({ invocation_id }) => invocation_id === id)));
  const large = answers.filter(({ result }) => result !== undefined).length;
  expect(large).toBeGreaterThanOrEqual(6);
  const codes = answers.flatMap(({ error }) =>
    (error as { code?: string } | undefined)?.code === undefined ? [] : [(error as { code: string }).code],
  );
  expect(new Set(codes)).toEqual(new Set(['OVERLOADED']));
});

test('S20 a message of a guest is at most 1 MiB', async () => {
  const { guest } = await start();
  const one = await guest();
  one.send({ type: 'invokefunction', function_id: 'app::f', data: 'x'.repeat(LIMITS.guestMessageBytes) });
  expect((await one.closed).code).toBe(1009);
});

test.each([
  ['stream::set', 'stream::update', { stream_name: 's', group_id: 'g', item_id: 'i' }, 'data'],
  ['state::set', 'state::update', { scope: 's', key: 'k' }, 'value'],
])('S20 a guest makes no item of more than 1 MiB, and changes none: %s, %s', async (set, update, item, field) => {
  const { worker, guest } = await start({
    guest: { rbac: { exposeFunctions: ['stream::*', 'state::*'].map((pattern) => ({ kind: 'match', pattern })) } },
  });
  const one = await guest();
  const half = 'x'.repeat(600_000);
  await one.result(set, { ...item, [field]: { a: half } });
  const ops = [{ type: 'set', path: 'b', value: half }];
  expect(await one.errorCode(update, { ...item, ops })).toBe('VALUE_TOO_LARGE');
  await worker.result(update, { ...item, ops });
  expect(await one.errorCode(update, { ...item, ops: [{ type: 'increment', path: 'n', by: 1 }] })).toBe('VALUE_TOO_LARGE');
});
