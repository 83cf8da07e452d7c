import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { connectOfficial } from '@rivulet/testkit/peers/official-worker';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, test } from 'vitest';

interface StateEvent {
  readonly type: string;
  readonly event_type: string;
  readonly scope: string;
  readonly key: string;
  readonly old_value: unknown;
  readonly new_value: unknown;
}

const order = { scope: 'orders', key: 'o1' };

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  const set = (value: unknown, ref = order) => worker.result('state::set', { ...ref, value });
  const remove = (ref = order) => worker.call('state::delete', ref);
  const update = (ops: readonly Frame[], ref = order) => worker.result('state::update', { ...ref, ops });
  /** Binds a function of its own and returns the events that it gets. */
  const watch = async (config: Frame, more: Frame = {}): Promise<Inbox<StateEvent>> => {
    const events = new Inbox<StateEvent>();
    const id = `app::watch-${Math.random()}`;
    await worker.serve(id, (data) => events.push(data as StateEvent));
    await worker.bind('state', id, config, more);
    return events;
  };
  return { ...started, worker, set, remove, update, watch };
}

const next = (events: Inbox<StateEvent>) => events.take(() => true, 'an event');
const short = ({ event_type, scope, key }: StateEvent) => `${event_type} ${scope}/${key}`;

describe.each([{ lmdb: false }, { lmdb: true }])('state triggers (lmdb: $lmdb)', ({ lmdb }) => {
  test('SA-3 a change of a reaction is reported behind the change that it reacts to, also where the engine itself reacts', async () => {
    const { worker, set, watch } = await start({ lmdb });
    await worker.bind('state', 'state::delete', { scope: 'orders' });
    const events = await watch({ scope: 'orders' });
    await set(1);
    expect([short(await next(events)), short(await next(events))]).toEqual(['state:created orders/o1', 'state:deleted orders/o1']);
  });

  test('SA-3 create, update and delete have six keys each; a set of the same value fires, an update without effect does not', async () => {
    const { set, remove, update, watch } = await start({ lmdb });
    const events = await watch({});
    await remove();
    await update([]);
    await update([{ type: 'remove', path: 'n' }]);
    await set({ n: 1 });
    await update([{ type: 'increment', path: 'n', by: 1 }]);
    await update([{ type: 'increment', path: 'n', by: 0 }]);
    await update([{ type: 'increment', path: 'x y', by: 'no' }]).catch(() => {});
    await set({ n: 2 });
    await remove();
    await remove();
    await update([{ type: 'set', path: 'n', value: 7 }]);
    const base = { type: 'state', ...order };
    const expected = [
      { ...base, event_type: 'state:created', old_value: null, new_value: { n: 1 } },
      { ...base, event_type: 'state:updated', old_value: { n: 1 }, new_value: { n: 2 } },
      { ...base, event_type: 'state:updated', old_value: { n: 2 }, new_value: { n: 2 } },
      { ...base, event_type: 'state:deleted', old_value: { n: 2 }, new_value: null },
      { ...base, event_type: 'state:created', old_value: null, new_value: { n: 7 } },
    ];
    for (const event of expected) expect(await next(events)).toEqual(event);
    expect(events.all).toHaveLength(expected.length);
  });

  test('SA-3 presence decides, not nullness: a set over a stored null is an update, its delete is one too', async () => {
    const { set, remove, watch } = await start({ lmdb });
    const events = await watch({});
    await set(null);
    await set(null);
    await remove();
    const kinds = [await next(events), await next(events), await next(events)].map(({ event_type }) => event_type);
    expect(kinds).toEqual(['state:created', 'state:updated', 'state:deleted']);
    expect(events.all.map(({ old_value, new_value }) => [old_value, new_value])).toEqual([
      [null, null],
      [null, null],
      [null, null],
    ]);
  });

  test('SA-3 the events of a key come one by one in the order of its commits, keys beside each other, under load', async () => {
    const { worker, workerUrl } = await start({ lmdb });
    const reactor = await RawWorker.connect(workerUrl);
    const writers = await Promise.all(Array.from({ length: 4 }, () => RawWorker.connect(workerUrl)));
    const [keys, rounds] = [8, 60];
    const events: StateEvent[] = [];
    const running = new Map<string, number>();
    let mostOfKey = 0;
    let mostOfAll = 0;
    await reactor.serve('app::react', async (data) => {
      const event = data as StateEvent;
      events.push(event);
      running.set(event.key, (running.get(event.key) ?? 0) + 1);
      mostOfKey = Math.max(mostOfKey, running.get(event.key) ?? 0);
      mostOfAll = Math.max(mostOfAll, [...running.values()].filter((count) => count > 0).length);
      // A read of the function is never older than the change of its event.
      const now = (await reactor.result('state::get', { scope: event.scope, key: event.key })) as { n: number } | undefined;
      expect(now?.n ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual((event.new_value as { n: number } | null)?.n ?? 0);
      running.set(event.key, (running.get(event.key) ?? 0) - 1);
    });
    await reactor.bind('state', 'app::react', { scope: 'load' });
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    const writes = writers.flatMap((writer) =>
      Array.from({ length: keys * rounds }, (_, n) => writer.result('state::update', { scope: 'load', key: `k${n % keys}`, ops })),
    );
    await Promise.all(writes);
    for (let n = 0; n < writes.length; n++) await reactor.take('invokefunction', ({ function_id }) => function_id === 'app::react');
    expect(events).toHaveLength(writes.length);
    for (let k = 0; k < keys; k++) {
      const seen = events.filter(({ key }) => key === `k${k}`);
      expect(seen.map(({ new_value }) => (new_value as { n: number }).n)).toEqual(
        Array.from({ length: writers.length * rounds }, (_, n) => n + 1),
      );
      expect(seen.slice(1).map(({ old_value }) => old_value)).toEqual(seen.slice(0, -1).map(({ new_value }) => new_value));
    }
    expect(mostOfKey).toBe(1);
    expect(mostOfAll).toBeGreaterThan(1);
    expect(await worker.result('state::list', { scope: 'load' })).toHaveLength(keys);
  });

  test('a reaction that writes the state that it watches goes on, and ends when it stops writing', async () => {
    const { worker, set } = await start({ lmdb });
    await worker.serve('app::count-down', async (data) => {
      const { n } = (data as StateEvent).new_value as { n: number };
      if (n > 0) await worker.result('state::set', { ...order, value: { n: n - 1 } });
      else await worker.result('state::set', { scope: 'orders', key: 'done', value: true });
    });
    await worker.serve('app::done', () => undefined);
    await worker.bind('state', 'app::count-down', order);
    await worker.bind('state', 'app::done', { key: 'done' });
    await set({ n: 25 });
    const { data } = await worker.take('invokefunction', ({ function_id }) => function_id === 'app::done');
    expect(data).toMatchObject({ event_type: 'state:created', key: 'done', new_value: true });
    expect(await worker.result('state::get', order)).toEqual({ n: 0 });
    expect(worker.inbox.all.filter(({ function_id }) => function_id === 'app::count-down')).toHaveLength(26);
  });
});

test('SA-3 scope and key filter by equality; the empty text is a name, absent and null are any', async () => {
  const { set, watch } = await start();
  const watched: [string, Frame, string[]][] = [
    ['any', {}, ['/', 'a/', '/k', 'a/k', 'b/k']],
    ['null', { scope: null, key: null }, ['/', 'a/', '/k', 'a/k', 'b/k']],
    ['scope', { scope: 'a' }, ['a/', 'a/k']],
    ['key', { key: 'k' }, ['/k', 'a/k', 'b/k']],
    ['both', { scope: 'a', key: 'k' }, ['a/k']],
    ['empty scope', { scope: '' }, ['/', '/k']],
    ['empty key', { key: '' }, ['/', 'a/']],
    ['empty both', { scope: '', key: '' }, ['/']],
    ['other case', { scope: 'A' }, []],
    ['no pattern', { scope: '*', key: '*' }, []],
  ];
  const inboxes = [];
  for (const [, config] of watched) inboxes.push(await watch(config));
  for (const path of ['/', 'a/', '/k', 'a/k', 'b/k', 'end/end']) {
    const [scope = '', key = ''] = path.split('/');
    await set(path, { scope, key });
  }
  await (inboxes[0] as Inbox<StateEvent>).take(({ scope }) => scope === 'end');
  const seen = inboxes.map((inbox) => inbox.all.map(({ new_value }) => new_value).filter((value) => value !== 'end/end'));
  expect(watched.map(([name], n) => [name, new Set(seen[n])])).toEqual(watched.map(([name, , paths]) => [name, new Set(paths)]));
});

test.each([{ scope: 7 }, { key: ['k'] }, { scope: {} }, { key: false }, { condition_function_id: 7 }])(
  'a config of the wrong type is refused, and the connection lives: %j',
  async (config) => {
    const { worker, watch, set } = await start();
    const id = await worker.bind('state', 'app::f', config);
    const error = { code: 'trigger_registration_failed', message: expect.stringContaining(`config.${Object.keys(config)[0]}`) as string };
    expect(await worker.take('triggerregistrationresult')).toMatchObject({ id, trigger_type: 'state', function_id: 'app::f', error });
    expect(await worker.errorCode('engine::register_trigger', { trigger_type: 'state', function_id: 'app::f', config })).toBe(
      'trigger_registration_failed',
    );
    const events = await watch({});
    await set(1);
    await next(events);
    expect(worker.inbox.all.filter(({ type, function_id }) => type === 'invokefunction' && function_id === 'app::f')).toEqual([]);
  },
);

describe('SA-3 conditions', () => {
  test.each<[string, unknown]>([
    ['true', true],
    ['an object', { ok: false }],
    ['null', null],
    ['nothing', undefined],
    ['zero', 0],
    ['the text false', 'false'],
  ])('%s proceeds', async (_name, answer) => {
    const { worker, set, watch } = await start();
    await worker.serve('app::condition', () => answer);
    const events = await watch({ condition_function_id: 'app::condition' });
    await set({ n: 1 });
    const event = await next(events);
    const asked = await worker.take('invokefunction', ({ function_id }) => function_id === 'app::condition');
    expect(asked.data).toEqual(event);
  });

  test('false, an error and a missing function skip, and the next event is asked about anew', async () => {
    const { worker, set, watch, log } = await start();
    await worker.serve('app::condition', (data) => {
      const { new_value } = data as StateEvent;
      if (new_value === 'error') throw new WorkerError({ code: 'invocation_failed', message: 'boom' });
      return new_value !== 'false';
    });
    const events = await watch({ condition_function_id: 'app::condition' });
    const never = await watch({ condition_function_id: 'app::nobody' });
    for (const value of ['false', 'error', 'go']) await set(value);
    expect(await next(events)).toMatchObject({ new_value: 'go', old_value: 'error' });
    expect([events.all.length, never.all.length]).toEqual([1, 0]);
    const codes = log.filter(({ event }) => event === 'condition_failed').map(({ fields }) => fields.code);
    expect(new Set(codes)).toEqual(new Set(['function_not_found', 'invocation_failed']));
  });
});

test('what fails at every event is one line in the log for each binding, not one for each event', async () => {
  const { worker, set, log } = await start();
  const asked = new Inbox<unknown>();
  const fail = (data: unknown) => {
    asked.push(data);
    throw new WorkerError({ code: 'DOWN', message: 'no database' });
  };
  await worker.serve('app::fails', fail);
  for (const config of [{}, { scope: 'orders' }, { condition_function_id: 'app::fails' }]) await worker.bind('state', 'app::fails', config);
  for (let n = 0; n < 5; n++) await set(n);
  for (let n = 0; n < 15; n++) await asked.take(() => true);
  await worker.settled();
  const lines = log.filter(({ event }) => event === 'trigger_function_failed' || event === 'condition_failed');
  expect(lines.map(({ event, fields }) => `${event} ${String(fields.code)} ${String(fields.times)}`).sort()).toEqual([
    'condition_failed DOWN 1',
    'trigger_function_failed DOWN 1',
    'trigger_function_failed DOWN 1',
  ]);
});

test('a binding that is registered again is replaced: one event, for the new one alone', async () => {
  const { worker, set } = await start();
  const calls: string[] = [];
  for (const name of ['app::old', 'app::new']) await worker.serve(name, (data) => void calls.push(`${name} ${short(data as StateEvent)}`));
  worker.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'app::old', config: {} });
  await set(1);
  worker.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'app::new', config: { scope: 'orders' } });
  await set(2);
  await worker.take('invokefunction', ({ function_id }) => function_id === 'app::new');
  worker.send({ type: 'unregistertrigger', id: 't', trigger_type: 'state' });
  await set(3);
  await worker.settled();
  expect(calls).toEqual(['app::old state:created orders/o1', 'app::new state:updated orders/o1']);
});

test('bindings end with their worker; those of engine::register_trigger stay', async () => {
  const { worker, workerUrl, set } = await start();
  const gone = await RawWorker.connect(workerUrl);
  await worker.serve('app::f', () => undefined);
  await gone.bind('state', 'app::f', { key: 'never' });
  await gone.bind('state', 'app::f', {});
  await gone.result('engine::register_trigger', { trigger_type: 'state', function_id: 'app::f', config: { scope: 'orders' } });
  await gone.closeSeenBy(worker);
  await set(1);
  await worker.take('invokefunction', ({ function_id }) => function_id === 'app::f');
  await worker.settled();
  expect(worker.inbox.all.filter(({ function_id }) => function_id === 'app::f')).toHaveLength(1);
});

test('the writer does not wait for a reaction, and what waits for one is bounded', async () => {
  const { worker, workerUrl, set, log } = await start();
  const reactor = await RawWorker.connect(workerUrl);
  const releases: (() => void)[] = [];
  const seen: unknown[] = [];
  await reactor.serve('app::slow', async (data) => {
    seen.push((data as StateEvent).new_value);
    await new Promise<void>((resolve) => releases.push(resolve));
  });
  await reactor.bind('state', 'app::slow', {});
  const over = 5;
  for (let n = 0; n <= LIMITS.pendingPerTrigger + over; n++)
    worker.send({ type: 'invokefunction', function_id: 'state::set', data: { ...order, value: n }, action: { type: 'void' } });
  await set('last');
  // The log has one line for the first drop, so that a storm of events causes no storm of lines.
  expect(log.filter(({ event }) => event === 'trigger_overflow').map(({ fields }) => fields.dropped)).toEqual([1]);
  const take = () => reactor.take('invokefunction', ({ function_id }) => function_id === 'app::slow');
  for (let n = 0; n < 3; n++) {
    await take();
    releases[n]?.();
  }
  // The queue dropped the oldest waiting events. The first event was running already.
  expect(seen).toEqual([0, over + 2, over + 3]);
});

test('the event carries the metadata of the binding, and no caller', async () => {
  const { worker, set } = await start();
  await worker.serve('app::f', () => undefined);
  await worker.bind('state', 'app::f', {}, { metadata: { tenant: 'acme' } });
  await set({ n: 1 });
  const frame = await worker.take('invokefunction', ({ function_id }) => function_id === 'app::f');
  expect(frame.metadata).toEqual({ tenant: 'acme' });
  expect(Object.keys(frame.data as Frame).sort()).toEqual(['event_type', 'key', 'new_value', 'old_value', 'scope', 'type']);
});

test('with triggers_enabled: false changes fire nothing, and bindings are kept', async () => {
  const { worker, set, remove, watch, log } = await start({ state: { triggersEnabled: false } });
  const events = await watch({});
  await set(1);
  await remove();
  await worker.settled();
  expect(events.all).toEqual([]);
  expect(await worker.result('engine::registered-triggers::list', { trigger_type: 'state' })).toMatchObject({
    registered_triggers: [{ trigger_type: 'state' }],
  });
  expect(log.some(({ event }) => event === 'state_triggers_paused')).toBe(true);
});

test.each(['0.3.0', '0.22.1'] as const)('SA-3 the official SDK %s reacts to state', async (version) => {
  const { workerUrl, set, remove } = await start();
  const sdk = await connectOfficial(version, workerUrl);
  const events = new Inbox<StateEvent>();
  sdk.registerFunction('app::on-order', async (data) => events.push(data as StateEvent));
  sdk.registerTrigger({ type: 'state', function_id: 'app::on-order', config: { scope: 'orders' } });
  await sdk.settled();
  await set({ n: 1 });
  await set({ n: 1 }, { scope: 'other', key: 'o1' });
  await remove();
  expect(await next(events)).toEqual({ type: 'state', event_type: 'state:created', ...order, old_value: null, new_value: { n: 1 } });
  expect(await next(events)).toEqual({ type: 'state', event_type: 'state:deleted', ...order, old_value: { n: 1 }, new_value: null });
});
