import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { connectOfficial, SDK_VERSIONS } from '@rivulet/testkit/peers/official-worker';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, test } from 'vitest';

async function start() {
  const started = await startTestEngine();
  const worker = await RawWorker.connect(started.workerUrl);
  /** Binds a function of its own to a topic and returns the inbox of its events. */
  const subscribe = async (config: unknown): Promise<Inbox<{ data: unknown }>> => {
    const got = new Inbox<{ data: unknown }>();
    const id = `app::subscriber-${Math.random()}`;
    await worker.serve(id, (data) => got.push({ data }));
    await worker.bind('subscribe', id, config);
    return got;
  };
  const publish = (topic: unknown, data?: unknown) => worker.call('publish', { topic, data });
  return { ...started, worker, subscribe, publish };
}

const next = async (got: Inbox<{ data: unknown }>) => (await got.take(() => true, 'a publication')).data;

test('publish answers null and hands its data, as it is, to everyone who subscribes to the topic', async () => {
  const { subscribe, publish } = await start();
  const [first, second, other] = [
    await subscribe({ topic: 'news' }),
    await subscribe({ topic: 'news' }),
    await subscribe({ topic: 'News' }),
  ];
  const values = [{ a: [1, null], topic: 'inner' }, [1], 'text', 0, false, null];
  for (const value of values) expect(await publish('news', value)).toHaveProperty('result', null);
  await publish('news');
  for (const value of [...values, null]) expect([await next(first), await next(second)]).toEqual([value, value]);
  expect(await publish('nobody', 1)).toHaveProperty('result', null);
  expect(other.all).toEqual([]);
});

test('the publications of one topic run a function one by one, in order', async () => {
  const { worker, workerUrl, publish } = await start();
  const reactor = await RawWorker.connect(workerUrl);
  const seen: unknown[] = [];
  const releases: (() => void)[] = [];
  await reactor.serve('app::slow', async (data) => {
    seen.push(data);
    await new Promise<void>((resolve) => releases.push(resolve));
  });
  await reactor.bind('subscribe', 'app::slow', { topic: 'slow' });
  for (let n = 0; n < 5; n++) await publish('slow', n);
  for (let n = 0; n < 5; n++) {
    await reactor.take('invokefunction', ({ function_id }) => function_id === 'app::slow');
    expect(seen).toHaveLength(n + 1);
    releases[n]?.();
  }
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  await worker.settled();
});

test('what waits for a subscriber is bounded: the oldest is dropped, and the log says so', async () => {
  const { worker, publish, log } = await start();
  await worker.serve('app::stuck', () => new Promise(() => {}));
  await worker.bind('subscribe', 'app::stuck', { topic: 't' });
  for (let n = 0; n <= LIMITS.pendingPerTrigger; n++)
    worker.send({ type: 'invokefunction', function_id: 'publish', data: { topic: 't', data: n }, action: { type: 'void' } });
  await worker.settled();
  expect(log.filter(({ event }) => event === 'trigger_overflow')).toHaveLength(0);
  await publish('t', 'one too many');
  expect(log.filter(({ event }) => event === 'trigger_overflow')).toHaveLength(1);
});

test('a condition is asked with the data, and a subscription ends when it is unregistered', async () => {
  const { worker, subscribe, publish } = await start();
  await worker.serve('app::is-big', (data) => (data as number) > 10);
  const big = await subscribe({ topic: 't', condition_function_id: 'app::is-big' });
  await worker.serve('app::f', () => undefined);
  const id = await worker.bind('subscribe', 'app::f', { topic: 't' });
  await publish('t', 1);
  await worker.take('invokefunction', ({ function_id }) => function_id === 'app::f');
  worker.send({ type: 'unregistertrigger', id, trigger_type: 'subscribe' });
  await publish('t', 11);
  expect(await next(big)).toBe(11);
  expect(big.all).toHaveLength(1);
  expect(worker.inbox.all.filter(({ function_id }) => function_id === 'app::f')).toHaveLength(1);
});

test('a topic that is missing or empty is topic_not_set; other mistakes have their codes', async () => {
  const { worker } = await start();
  for (const input of [{ data: 1 }, { topic: '', data: 1 }, { topic: null }])
    expect(await worker.errorCode('publish', input)).toBe('topic_not_set');
  for (const input of [{ topic: 7, data: 1 }, 'news', null, []])
    expect(await worker.errorCode('publish', input)).toBe('deserialization_error');
  expect(await worker.errorCode('publish', { topic: 't'.repeat(LIMITS.registryIdBytes + 1) })).toBe('INVALID_ID');
  expect(await worker.errorCode('publish', { topic: 't'.repeat(LIMITS.registryIdBytes) })).toBeUndefined();
});

test.each<[unknown, string]>([
  [{}, 'topic_not_set'],
  [undefined, 'topic_not_set'],
  [{ topic: '' }, 'topic_not_set'],
  [{ topic: 7 }, 'trigger_registration_failed'],
  [{ topic: 't', condition_function_id: {} }, 'trigger_registration_failed'],
  [{ topic: 't'.repeat(LIMITS.registryIdBytes + 1) }, 'INVALID_ID'],
])('a subscription with the config %j is refused with %s', async (config, code) => {
  const { worker } = await start();
  const id = await worker.bind('subscribe', 'app::f', config);
  expect(await worker.take('triggerregistrationresult')).toMatchObject({ id, trigger_type: 'subscribe', error: { code } });
  await worker.result('publish', { topic: 't', data: 1 });
});

test('a function that publishes to its own topic goes on beside everything else', async () => {
  const { worker } = await start();
  await worker.serve('app::echo', async (data) => {
    if ((data as number) > 0) await worker.result('publish', { topic: 'echo', data: (data as number) - 1 });
  });
  await worker.bind('subscribe', 'app::echo', { topic: 'echo' });
  await worker.result('publish', { topic: 'echo', data: 5 });
  for (let n = 5; n >= 0; n--) {
    const frame = await worker.take('invokefunction', ({ function_id }) => function_id === 'app::echo');
    expect(frame.data).toBe(n);
  }
});

test('an event that a subscriber publishes comes behind the one that it reacts to, for everybody, also where the engine itself subscribes', async () => {
  const { worker, subscribe } = await start();
  await worker.bind('subscribe', 'publish', { topic: 't' });
  const later = await subscribe({ topic: 't' });
  await worker.result('publish', { topic: 't', data: { topic: 't', data: { topic: 't', data: 'innermost' } } });
  expect(await next(later)).toMatchObject({ data: { data: 'innermost' } });
  expect(await next(later)).toEqual({ topic: 't', data: 'innermost' });
  expect(await next(later)).toBe('innermost');
});

test('subscriptions that set off each other, faster each time, keep nobody waiting', async () => {
  const { worker, workerUrl, log } = await start();
  const other = await RawWorker.connect(workerUrl);
  for (let n = 0; n < 2; n++) await worker.bind('subscribe', 'publish', { topic: 't' });
  let data: unknown = 0;
  // Without drops there would be 2^40 events.
  for (let n = 0; n < 40; n++) data = { topic: 't', data };
  worker.send({ type: 'invokefunction', function_id: 'publish', data, action: { type: 'void' } });
  await worker.settled();
  for (let n = 0; n < 10; n++) await other.settled();
  await expect.poll(() => log.some(({ event }) => event === 'trigger_overflow')).toBe(true);
});

test('a file that does not list iii-pubsub has no publish', async () => {
  const engine = await EngineProcess.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  expect(await worker.errorCode('publish', { topic: 't', data: 1 })).toBe('function_not_found');
  expect(await worker.errorCode('state::get', { scope: 's', key: 'k' })).toBe('function_not_found');
});

describe.each(SDK_VERSIONS)('the official SDK %s', (version) => {
  test('publishes and subscribes', async () => {
    const { workerUrl } = await startTestEngine();
    const sdk = await connectOfficial(version, workerUrl);
    const got = new Inbox<{ data: unknown }>();
    sdk.registerFunction('app::heard', async (data) => got.push({ data }));
    sdk.registerTrigger({ type: 'subscribe', function_id: 'app::heard', config: { topic: 'news' } });
    await sdk.settled();
    expect(await sdk.call('publish', { topic: 'news', data: { n: 1 } })).toBeNull();
    sdk.callVoid('publish', { topic: 'news', data: { n: 2 } });
    expect([await next(got), await next(got)]).toEqual([{ n: 1 }, { n: 2 }]);
    await expect(sdk.call('publish', { topic: '', data: 1 })).rejects.toMatchObject({ code: 'topic_not_set' });
  });
});
