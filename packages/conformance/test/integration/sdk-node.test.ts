import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import {
  connectOfficial,
  type OfficialWorker,
  type ProvidedTrigger,
  SDK_VERSIONS,
  type SdkVersion,
} from '@rivulet/testkit/peers/official-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, test } from 'vitest';
import { shows } from '../harness/client-matrix.js';

const room = { stream_name: 'chat', group_id: 'room-1' };

/** Resolves with the error of a call. Fails if the call succeeds. */
async function rejection(running: Promise<unknown>): Promise<unknown> {
  return running.then(
    (value) => expect.fail(`the call answered ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly function_id: string;
}

/** Returns the error that a caller of this version gets: a plain object up to 0.11.2, and an error class from 0.11.6 on. */
function failureIn(version: SdkVersion, { code, message, function_id }: Failure): object {
  const wrapped = (name: string) => ({ thrown: name, code, message: `${code}: ${message}`, function_id });
  if (version === '0.11.6') return wrapped('IIIInvocationError');
  if (version === '0.22.1') return wrapped('InvocationError');
  return { thrown: 'an object', code, message, function_id: undefined };
}

function described(error: unknown): object {
  const { code, message, function_id } = error as Failure;
  return { thrown: error instanceof Error ? error.name : 'an object', code, message, function_id };
}

const sendsStacks = (version: SdkVersion) => version !== '0.2.1' && version !== '0.3.0';
const pairs = SDK_VERSIONS.flatMap((caller) => SDK_VERSIONS.map((executor) => [caller, executor] as const));

describe.each(pairs)('SM-1 iii-sdk %s calls iii-sdk %s', (callerVersion, executorVersion) => {
  async function start() {
    const { workerUrl } = await startTestEngine();
    const executor = await connectOfficial(executorVersion, workerUrl, 'executor');
    const caller = await connectOfficial(callerVersion, workerUrl, 'caller');
    return { executor, caller };
  }

  test('and gets its result, with the caller named in the input', async () => {
    shows('calls', `node ${callerVersion}`, `node ${executorVersion}`);
    const { executor, caller } = await start();
    executor.registerFunction('app::echo', (data) => Promise.resolve({ got: data }));
    await executor.settled();
    const { got } = (await caller.call('app::echo', { text: 'grüße 🙂', list: [1, null, true] })) as { got: object };
    expect(got).toEqual({ text: 'grüße 🙂', list: [1, null, true], _caller_worker_id: expect.any(String) as string });
    expect(await Promise.all([1, 2, 3, 4].map((n) => caller.call('app::echo', n)))).toEqual([1, 2, 3, 4].map((got) => ({ got })));
  });

  test('and gets undefined where it returns nothing or null', async () => {
    shows('calls', `node ${callerVersion}`, `node ${executorVersion}`);
    const { executor, caller } = await start();
    executor.registerFunction('app::nothing', () => Promise.resolve(undefined));
    executor.registerFunction('app::null', () => Promise.resolve(null));
    await executor.settled();
    expect(await caller.call('app::nothing', {})).toBeUndefined();
    expect(await caller.call('app::null', {})).toBeUndefined();
  });

  test('and gets the error that its handler threw', async () => {
    shows('calls', `node ${callerVersion}`, `node ${executorVersion}`);
    const { executor, caller } = await start();
    executor.registerFunction('app::fail', () => Promise.reject(new Error('boom')));
    await executor.settled();
    const error = await rejection(caller.call('app::fail', {}));
    const expected = failureIn(callerVersion, { code: 'invocation_failed', message: 'boom', function_id: 'app::fail' });
    expect(described(error)).toEqual(expected);
    const { stacktrace } = error as { stacktrace?: string };
    expect(stacktrace?.includes('boom') ?? 'none').toBe(sendsStacks(executorVersion) ? true : 'none');
  });

  test('without waiting, and the function runs once', async () => {
    shows('void', `node ${callerVersion}`, `node ${executorVersion}`);
    const { executor, caller } = await start();
    const runs = new Inbox<unknown>();
    executor.registerFunction('app::note', (data) => Promise.resolve(runs.push(data)));
    await executor.settled();
    caller.callVoid('app::note', { n: 1 });
    await runs.take(() => true, 'a run');
    await caller.settled();
    await executor.settled();
    expect(runs.all).toEqual([{ n: 1, _caller_worker_id: expect.any(String) as string }]);
  });
});

async function startOne(version: SdkVersion) {
  const started = await startTestEngine();
  return { ...started, worker: await connectOfficial(version, started.workerUrl) };
}

/** Registers a function that keeps its inputs, and binds it to a trigger. */
async function listen(worker: OfficialWorker, type: string, config: unknown, answer?: unknown): Promise<Inbox<unknown>> {
  const inbox = new Inbox<unknown>();
  const id = `app::on-${type}`;
  worker.registerFunction(id, (data) => {
    inbox.push(data);
    return Promise.resolve(answer);
  });
  worker.registerTrigger({ type, function_id: id, config });
  await worker.settled();
  return inbox;
}

describe.each(SDK_VERSIONS)('SM-1 iii-sdk %s', (version) => {
  test('a missing function is function_not_found, and so is one that was unregistered', async () => {
    shows('calls', `node ${version}`);
    const { worker } = await startOne(version);
    const registered = worker.registerFunction('app::f', () => Promise.resolve('here'));
    expect(await worker.call('app::f', {})).toBe('here');
    registered.unregister();
    for (const id of ['app::f', 'app::never']) {
      const error = (await rejection(worker.call(id, {}))) as Failure;
      expect(error.code).toBe('function_not_found');
      expect(error.message).toContain(id);
    }
  });

  test('ST-1 stream functions answer with old and new values', async () => {
    shows('streams', `node ${version}`);
    const { worker } = await startOne(version);
    const m1 = { ...room, item_id: 'm1' };
    expect(await worker.call('stream::get', m1)).toBeUndefined();
    expect(await worker.call('stream::list', room)).toEqual([]);
    expect(await worker.call('stream::set', { ...m1, data: { id: 'm1', n: 1 } })).toEqual({
      old_value: null,
      new_value: { id: 'm1', n: 1 },
    });
    expect(await worker.call('stream::set', { ...m1, data: { id: 'm1', n: 2 } })).toEqual({
      old_value: { id: 'm1', n: 1 },
      new_value: { id: 'm1', n: 2 },
    });
    expect(await worker.call('stream::update', { ...m1, ops: [{ type: 'increment', path: 'n', by: 3 }] })).toEqual({
      old_value: { id: 'm1', n: 2 },
      new_value: { id: 'm1', n: 5 },
    });
    await worker.call('stream::set', { ...room, item_id: 'm2', data: { id: 'm2' } });
    expect(await worker.call('stream::get', m1)).toEqual({ id: 'm1', n: 5 });
    expect(await worker.call('stream::list', room)).toEqual([{ id: 'm1', n: 5 }, { id: 'm2' }]);
    expect(await worker.call('stream::list_groups', { stream_name: 'chat' })).toEqual(['room-1']);
    expect(await worker.call('stream::list_all', {})).toEqual({ stream: [{ id: 'chat', groups: ['room-1'] }], count: 1 });
    expect(await worker.call('stream::delete', m1)).toEqual({ old_value: { id: 'm1', n: 5 } });
    expect(await worker.call('stream::delete', m1)).toEqual({ old_value: null });
    expect(await worker.call('stream::send', { ...room, type: 'typing', data: { user: 'ann' } })).toBeNull();
  });

  test('SM-1 state functions answer with old and new values', async () => {
    shows('state', `node ${version}`);
    const { worker } = await startOne(version);
    const key = { scope: 'orders', key: 'o1' };
    // Versions below 0.9 name this member `data`.
    const value = (n: number) => (sendsStacks(version) ? { value: { n } } : { data: { n } });
    const fired = await listen(worker, 'state', { scope: 'orders' });
    expect(await worker.call('state::get', key)).toBeUndefined();
    expect(await worker.call('state::set', { ...key, ...value(1) })).toEqual({ old_value: null, new_value: { n: 1 } });
    expect(await worker.call('state::set', { ...key, ...value(2) })).toEqual({ old_value: { n: 1 }, new_value: { n: 2 } });
    expect(await worker.call('state::update', { ...key, ops: [{ type: 'increment', path: 'n', by: 3 }] })).toEqual({
      old_value: { n: 2 },
      new_value: { n: 5 },
    });
    expect(await worker.call('state::get', key)).toEqual({ n: 5 });
    expect(await worker.call('state::list', { scope: 'orders' })).toEqual([{ n: 5 }]);
    expect(await worker.call('state::list_groups', {})).toEqual({ groups: ['orders'] });
    expect(await worker.call('state::delete', key)).toEqual({ n: 5 });
    expect(await worker.call('state::delete', key)).toBeUndefined();
    await fired.take((data) => (data as { event_type: string }).event_type === 'state:deleted', 'the delete');
    const kinds = fired.all.map((data) => (data as { event_type: string }).event_type);
    expect(kinds).toEqual(['state:created', 'state:updated', 'state:updated', 'state:deleted']);
  });

  test('a stream call of the wrong shape fails with deserialization_error, as an error of that version', async () => {
    const { worker } = await startOne(version);
    const error = described(await rejection(worker.call('stream::set', { stream_name: 'chat' })));
    const message = expect.any(String) as string;
    expect(error).toEqual({
      ...failureIn(version, { code: 'deserialization_error', message: '', function_id: 'stream::set' }),
      message,
    });
  });

  test('ST-4 what it writes reaches a watcher in order', async () => {
    shows('streams', `node ${version}`);
    const { worker, streamUrl } = await startOne(version);
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    const m1 = { ...room, item_id: 'm1' };
    await worker.call('stream::set', { ...m1, data: { id: 'm1', n: 1 } });
    await worker.call('stream::update', { ...m1, ops: [{ type: 'set', path: 'n', value: 2 }] });
    await worker.call('stream::send', { ...room, event_type: 'typing', data: { user: 'ann' } });
    await worker.call('stream::delete', m1);
    await watcher.take('delete');
    expect(watcher.inbox.all.map((frame) => frame.event)).toEqual([
      { type: 'sync', data: [] },
      { type: 'create', data: { id: 'm1', n: 1 } },
      { type: 'update', data: { id: 'm1', n: 2 } },
      { type: 'event', event: { type: 'typing', data: { user: 'ann' } } },
      { type: 'delete', data: { id: 'm1', n: 2 } },
    ]);
  });

  test('WP-22 void writes to one item are applied in the order in which they were made', async () => {
    shows('void', `node ${version}`);
    const { worker, streamUrl } = await startOne(version);
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    for (let n = 0; n < 50; n++) worker.callVoid('stream::set', { ...room, item_id: 'm1', data: { id: 'm1', n } });
    worker.callVoid('app::missing', {});
    expect(await worker.call('stream::get', { ...room, item_id: 'm1' })).toEqual({ id: 'm1', n: 49 });
    await watcher.inbox.take(({ event }) => (event.data as { n?: number }).n === 49);
    expect(watcher.inbox.all.slice(1).map(({ event }) => (event.data as { n: number }).n)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  test('ST-16 a stream trigger runs its function with the frame that watchers get', async () => {
    shows('triggers', `node ${version}`);
    const { worker, streamUrl } = await startOne(version);
    const fired = await listen(worker, 'stream', { stream_name: 'chat', group_id: 'room-1' });
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    await worker.call('stream::set', { ...room, group_id: 'other', item_id: 'x', data: {} });
    await worker.call('stream::set', { ...room, item_id: 'm1', data: { id: 'm1' } });
    await worker.call('stream::set', { ...room, item_id: 'm1', data: null });
    await worker.call('stream::delete', { ...room, item_id: 'm1' });
    const deleted = await fired.take((data) => (data as StreamFrame).event.type === 'delete', 'the delete');
    expect(fired.all).toHaveLength(3);
    await watcher.take('delete');
    expect(fired.all).toEqual(watcher.inbox.all.slice(1));
    expect(deleted).not.toHaveProperty('_caller_worker_id');
  });

  test('ST-12 stream:join and stream:leave triggers run their functions, and a join can be refused', async () => {
    shows('triggers', `node ${version}`);
    const { worker, streamUrl } = await startOne(version);
    const joined = await listen(worker, 'stream:join', { stream_name: 'chat' }, {});
    const left = await listen(worker, 'stream:leave', { stream_name: 'chat' });
    worker.registerFunction('app::refuse', () => Promise.resolve({ unauthorized: true }));
    worker.registerTrigger({ type: 'stream:join', function_id: 'app::refuse', config: { stream_name: 'secret' } });
    await worker.settled();
    const watcher = await StreamSocket.open(streamUrl);
    watcher.join('s1', 'chat', 'room-1');
    await watcher.take('sync');
    const event = { subscription_id: 's1', stream_name: 'chat', group_id: 'room-1', id: null, context: null };
    expect(joined.all).toEqual([event]);
    watcher.leave('s1', 'chat', 'room-1');
    expect(await left.take(() => true, 'the leave')).toEqual(event);
    watcher.join('s2', 'secret', 'plans', 'p1');
    await watcher.take('unauthorized');
    await worker.call('stream::set', { stream_name: 'secret', group_id: 'plans', item_id: 'p1', data: {} });
    await watcher.settled();
    expect(watcher.kinds()).toEqual(['sync', 'unauthorized']);
    expect(joined.all).toHaveLength(1);
  });

  test('a trigger that was unregistered does not fire any more', async () => {
    shows('triggers', `node ${version}`);
    const { worker } = await startOne(version);
    const fired = new Inbox<unknown>();
    worker.registerFunction('app::on', (data) => Promise.resolve(fired.push(data)));
    const first = worker.registerTrigger({ type: 'stream', function_id: 'app::on', config: { stream_name: 'a' } });
    worker.registerTrigger({ type: 'stream', function_id: 'app::on', config: { stream_name: 'b' } });
    first.unregister();
    await worker.settled();
    for (const stream_name of ['a', 'b']) await worker.call('stream::set', { stream_name, group_id: 'g', item_id: 'i', data: {} });
    await fired.take((data) => (data as StreamFrame).streamName === 'b', 'the event of b');
    expect(fired.all).toHaveLength(1);
  });

  test('WP-16 it provides a trigger type to workers of every version and fires it', async () => {
    shows('trigger types', `node ${version}`);
    const { worker: provider, workerUrl } = await startOne(version);
    const bound = new Inbox<ProvidedTrigger>();
    const unbound = new Inbox<ProvidedTrigger>();
    provider.registerTriggerType('webhook', {
      registerTrigger: (trigger) => Promise.resolve(bound.push(trigger)),
      unregisterTrigger: (trigger) => Promise.resolve(unbound.push(trigger)),
    });
    await provider.settled();
    for (const each of SDK_VERSIONS) {
      const worker = await connectOfficial(each, workerUrl, `user-${each}`);
      worker.registerFunction(`app::hook-${each}`, (data) => Promise.resolve({ version: each, data }));
      const trigger = worker.registerTrigger({ type: 'webhook', function_id: `app::hook-${each}`, config: { path: each } });
      const told = await bound.take(({ config }) => (config as { path: string }).path === each, 'the binding');
      expect(await provider.call(told.function_id, 'ping')).toEqual({ version: each, data: 'ping' });
      trigger.unregister();
      await worker.settled();
      if (version === '0.22.1') await unbound.take(({ id }) => id === told.id, 'the end of the binding');
    }
    expect(bound.all).toHaveLength(SDK_VERSIONS.length);
    await provider.settled();
  });

  test('WP-14 a trigger that it registers before the type exists is bound when the provider comes', async () => {
    shows('trigger types', `node ${version}`);
    const { worker, workerUrl } = await startOne(version);
    worker.registerFunction('app::hook', (data) => Promise.resolve(data));
    worker.registerTrigger({ type: 'webhook', function_id: 'app::hook', config: { path: '/x' } });
    await worker.settled();
    const provider = await connectOfficial('0.22.1', workerUrl, 'provider');
    const bound = new Inbox<ProvidedTrigger>();
    provider.registerTriggerType('webhook', {
      registerTrigger: (trigger) => Promise.resolve(bound.push(trigger)),
      unregisterTrigger: () => Promise.resolve(),
    });
    expect(await bound.take(() => true, 'the binding')).toMatchObject({ function_id: 'app::hook', config: { path: '/x' } });
  });
});
