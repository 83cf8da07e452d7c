import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { connectOfficial, type ProvidedTrigger, SDK_VERSIONS } from '@rivulet/testkit/peers/official-worker';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { beforeEach, describe, expect, test } from 'vitest';
import { shows } from './client-matrix.js';
import { type LanguageError, type LanguageSdk, LanguageWorker, missingSdk } from './language-worker.js';
import { startBehindProxy, TELEMETRY_LISTENERS } from './telemetry-listeners.js';

const room = { stream_name: 'chat', group_id: 'room-1' };
const CALLER = { _caller_worker_id: expect.any(String) as string };

async function start(sdk: LanguageSdk, options: TestEngineOptions = {}) {
  const engine = await startTestEngine(options);
  return { ...engine, worker: await LanguageWorker.connect(sdk, engine.workerUrl) };
}

async function failure(running: Promise<unknown>): Promise<LanguageError> {
  return running.then(
    (value) => expect.fail(`the call answered ${JSON.stringify(value)}`),
    (error: unknown) => error as LanguageError,
  );
}

const carriesMetadata = (sdk: LanguageSdk) => sdk !== 'python 0.11.6';
/** Returns whether an SDK accepts more than 1 MiB in one message. The others close the connection. */
const takesLargeMessages = (sdk: LanguageSdk) => sdk === 'python 0.25.0' || sdk === 'rust 0.25.0';
/** Returns whether a provider gets the end of a binding. That is so since 0.19.4. */
const hearsUnbound = (sdk: LanguageSdk) => sdk !== 'python 0.11.6';

/** A size between the largest frame of a call in this test and the smallest export. */
const EXPORT_BYTES = 400;

/** Describes the cases that every official SDK of another language must pass (spec SM). */
export function describeLanguageSdk(sdk: LanguageSdk, item: 'SM-1' | 'SM-2'): void {
  beforeEach(({ skip }) => {
    const missing = missingSdk(sdk);
    skip(missing !== undefined, missing);
  });

  describe.each(SDK_VERSIONS)(`${item} iii-sdk ${sdk} and iii-sdk %s for Node`, (version) => {
    test('call each other: results, nothing, errors', async () => {
      shows('calls', sdk, `node ${version}`);
      const { worker, workerUrl } = await start(sdk);
      const node = await connectOfficial(version, workerUrl, 'node');
      node.registerFunction('node::echo', (data) => Promise.resolve({ got: data }));
      node.registerFunction('node::fail', () => Promise.reject(new Error('boom of Node')));
      await node.settled();
      for (const as of ['echo', 'nothing', 'fail'] as const) await worker.serve(`app::${as}`, as);
      const sent = { text: 'grüße 🙂', list: [1, null, true] };
      expect(await node.call('app::echo', sent)).toMatchObject({ got: { ...sent, ...CALLER } });
      expect(await worker.call('node::echo', sent)).toEqual({ got: { ...sent, ...CALLER } });
      expect(await node.call('app::nothing', {})).toBeUndefined();
      const thrown = await node.call('app::fail', {}).catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'invocation_failed', message: expect.stringContaining('boom') as string });
      const error = await failure(worker.call('node::fail', {}));
      expect([error.code, error.message]).toEqual(['invocation_failed', expect.stringContaining('boom of Node')]);
      const numbers = [1, 2, 3, 4];
      expect(await Promise.all(numbers.map((n) => worker.call('node::echo', n)))).toEqual(numbers.map((got) => ({ got })));
      expect(await Promise.all(numbers.map((n) => node.call('app::echo', n)))).toMatchObject(numbers.map((got) => ({ got })));
    });

    test('WP-16 provide trigger types for each other', async () => {
      shows('trigger types', sdk, `node ${version}`);
      const { worker, workerUrl } = await start(sdk);
      const node = await connectOfficial(version, workerUrl, 'node');
      const bound = new Inbox<ProvidedTrigger>();
      node.registerTriggerType('node-hook', {
        registerTrigger: (trigger) => Promise.resolve(bound.push(trigger)),
        unregisterTrigger: () => Promise.resolve(),
      });
      await node.settled();
      await worker.serve('app::hook', 'echo');
      await worker.bind('node-hook', 'app::hook', { path: '/x' });
      const told = await bound.take(() => true, 'the binding at the provider in Node');
      expect(told).toMatchObject({ function_id: 'app::hook', config: { path: '/x' } });
      expect(await node.call(told.function_id, 'ping')).toMatchObject({ got: 'ping' });

      await worker.provide('app-hook');
      node.registerFunction('node::hook', (data) => Promise.resolve({ got: data }));
      const trigger = node.registerTrigger({ type: 'app-hook', function_id: 'node::hook', config: { path: '/y' } });
      const binding = (await worker.took('bound')).data as ProvidedTrigger;
      expect(binding).toMatchObject({ function_id: 'node::hook', config: { path: '/y' } });
      expect(await worker.call(binding.function_id, 'ping')).toEqual({ got: 'ping' });
      trigger.unregister();
      await node.settled();
      // Older providers ignore the end of a binding.
      if (hearsUnbound(sdk)) await worker.took('unbound', ({ data }) => (data as ProvidedTrigger).id === binding.id);
      await worker.settled();
    });
  });

  describe(`${item} iii-sdk ${sdk}`, () => {
    test('WP-3 a call without a payload returns', async () => {
      shows('calls', sdk);
      const { worker } = await start(sdk);
      await worker.serve('app::echo', 'echo');
      expect(await worker.call('app::echo', undefined)).toMatchObject({ got: null });
      expect(await worker.call('engine::health::check', undefined)).toBeDefined();
    });

    test('WP-8 a missing function is function_not_found, and so is one that was unregistered', async () => {
      shows('calls', sdk);
      const { worker } = await start(sdk);
      await worker.serve('app::f', 'echo');
      expect(await worker.call('app::f', 1)).toMatchObject({ got: 1 });
      await worker.unserve('app::f');
      for (const id of ['app::f', 'app::never']) {
        const { code, message } = await failure(worker.call(id, {}));
        expect([code, message]).toEqual(['function_not_found', expect.stringContaining(id)]);
      }
    });

    test('WP-5 a void call runs its function once and answers nothing, also when there is no such function', async () => {
      shows('void', sdk);
      const { worker, workerUrl } = await start(sdk);
      const raw = await RawWorker.connect(workerUrl);
      await raw.serve('raw::note', () => undefined);
      await worker.serve('app::note', 'record');
      await worker.callVoid('raw::note', { n: 1 });
      await worker.callVoid('raw::missing', {});
      expect((await raw.take('invokefunction')).data).toEqual({ n: 1, ...CALLER });
      raw.send({ type: 'invokefunction', function_id: 'app::note', data: { n: 2 }, action: { type: 'void' } });
      expect((await worker.took('app::note')).data).toMatchObject({ n: 2 });
      await worker.settled();
      expect(worker.seen.all).toHaveLength(1);
      expect(raw.inbox.all.filter(({ type }) => type === 'invokefunction')).toHaveLength(1);
    });

    test('WP-23 metadata of a call and of a trigger reaches a handler beside its input', async () => {
      shows('triggers', sdk);
      const { worker, workerUrl } = await start(sdk);
      const raw = await RawWorker.connect(workerUrl);
      const expected = carriesMetadata(sdk) ? { tenant: 'acme' } : null;
      await worker.serve('app::echo', 'echo');
      const answer = await raw.call('app::echo', 'x', { metadata: { tenant: 'acme' } });
      expect(answer.result).toMatchObject({ got: 'x', metadata: expected });
      await worker.serve('app::on', 'record');
      await worker.bind('stream', 'app::on', { stream_name: 'chat' }, { tenant: 'acme' });
      await raw.result('stream::set', { ...room, item_id: 'm1', data: {} });
      expect((await worker.took('app::on')).metadata).toEqual(expected);
    });

    test('ST-1 stream functions answer with old and new values', async () => {
      shows('streams', sdk);
      const { worker } = await start(sdk);
      const m1 = { ...room, item_id: 'm1' };
      expect(await worker.call('stream::get', m1)).toBeNull();
      expect(await worker.call('stream::list', room)).toEqual([]);
      expect(await worker.call('stream::set', { ...m1, data: { id: 'm1', n: 1 } })).toEqual({
        old_value: null,
        new_value: { id: 'm1', n: 1 },
      });
      expect(await worker.call('stream::update', { ...m1, ops: [{ type: 'increment', path: 'n', by: 3 }] })).toEqual({
        old_value: { id: 'm1', n: 1 },
        new_value: { id: 'm1', n: 4 },
      });
      expect(await worker.call('stream::get', m1)).toEqual({ id: 'm1', n: 4 });
      expect(await worker.call('stream::list', room)).toEqual([{ id: 'm1', n: 4 }]);
      expect(await worker.call('stream::list_groups', { stream_name: 'chat' })).toEqual(['room-1']);
      expect(await worker.call('stream::list_all', {})).toEqual({ stream: [{ id: 'chat', groups: ['room-1'] }], count: 1 });
      expect(await worker.call('stream::delete', m1)).toEqual({ old_value: { id: 'm1', n: 4 } });
      expect(await worker.call('stream::delete', m1)).toEqual({ old_value: null });
      expect(await worker.call('stream::send', { ...room, type: 'typing', data: { user: 'ann' } })).toBeNull();
      expect((await failure(worker.call('stream::set', { stream_name: 'chat' }))).code).toBe('deserialization_error');
    });

    test('WP-22 ST-4 void writes to one item reach a watcher in the order in which they were made', async () => {
      shows('void', sdk);
      const { worker, streamUrl } = await start(sdk);
      const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
      await watcher.take('sync');
      const numbers = Array.from({ length: 20 }, (_, n) => n);
      for (const n of numbers) await worker.callVoid('stream::set', { ...room, item_id: 'm1', data: { id: 'm1', n } });
      expect(await worker.call('stream::get', { ...room, item_id: 'm1' })).toEqual({ id: 'm1', n: 19 });
      await watcher.inbox.take(({ event }) => (event.data as { n?: number }).n === 19);
      expect(watcher.inbox.all.slice(1).map(({ event }) => (event.data as { n: number }).n)).toEqual(numbers);
    });

    test('ST-16 ST-12 its stream, stream:join and stream:leave triggers run, and a join can be refused', async () => {
      shows('triggers', sdk);
      const { worker, streamUrl } = await start(sdk);
      for (const on of ['change', 'join', 'leave']) await worker.serve(`app::${on}`, 'record');
      await worker.serve('app::refuse', 'refuse');
      const unbind = await worker.bind('stream', 'app::change', { stream_name: 'chat' });
      await worker.bind('stream:join', 'app::join', { stream_name: 'chat' });
      await worker.bind('stream:leave', 'app::leave', { stream_name: 'chat' });
      await worker.bind('stream:join', 'app::refuse', { stream_name: 'secret' });
      const watcher = await StreamSocket.open(streamUrl);
      watcher.join('s1', 'chat', 'room-1');
      await watcher.take('sync');
      const event = { subscription_id: 's1', stream_name: 'chat', group_id: 'room-1', id: null, context: null };
      expect((await worker.took('app::join')).data).toEqual(event);
      await worker.call('stream::set', { ...room, item_id: 'm1', data: { id: 'm1' } });
      expect((await worker.took('app::change')).data).toEqual(await watcher.take('create'));
      await unbind();
      await worker.call('stream::delete', { ...room, item_id: 'm1' });
      watcher.leave('s1', 'chat', 'room-1');
      expect((await worker.took('app::leave')).data).toEqual(event);
      watcher.join('s2', 'secret', 'plans');
      await watcher.take('unauthorized');
      expect(worker.seen.all.filter(({ seen }) => seen === 'app::change')).toHaveLength(1);
    });

    test('state functions answer with old and new values, and a state trigger runs', async () => {
      shows('state', sdk);
      const { worker } = await start(sdk);
      const key = { scope: 'orders', key: 'o1' };
      await worker.serve('app::changed', 'record');
      await worker.bind('state', 'app::changed', { scope: 'orders' });
      expect(await worker.call('state::get', key)).toBeNull();
      expect(await worker.call('state::set', { ...key, value: { n: 1 } })).toEqual({ old_value: null, new_value: { n: 1 } });
      expect(await worker.call('state::update', { ...key, ops: [{ type: 'increment', path: 'n', by: 2 }] })).toEqual({
        old_value: { n: 1 },
        new_value: { n: 3 },
      });
      expect(await worker.call('state::get', key)).toEqual({ n: 3 });
      expect(await worker.call('state::list', { scope: 'orders' })).toEqual([{ n: 3 }]);
      expect(await worker.call('state::list_groups', {})).toEqual({ groups: ['orders'] });
      expect(await worker.call('state::delete', key)).toEqual({ n: 3 });
      expect(await worker.call('state::delete', key)).toBeNull();
      const event = { type: 'state', ...key };
      for (const expected of [
        { ...event, event_type: 'state:created', old_value: null, new_value: { n: 1 } },
        { ...event, event_type: 'state:updated', old_value: { n: 1 }, new_value: { n: 3 } },
        { ...event, event_type: 'state:deleted', old_value: { n: 3 }, new_value: null },
      ])
        expect((await worker.took('app::changed')).data).toEqual(expected);
    });

    test('ST-17 a stream that it keeps itself: all operations go to it, and watchers see each change', async () => {
      shows('createStream', sdk);
      const { worker, workerUrl, streamUrl } = await start(sdk);
      const raw = await RawWorker.connect(workerUrl);
      await worker.createStream('chat');
      const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
      expect((await watcher.take('sync')).event.data).toEqual([]);
      const m1 = { ...room, item_id: 'm1' };
      const [first, second] = [1, 2].map((n) => ({ id: 'm1', n })) as [object, object];
      expect(await raw.result('stream::set', { ...m1, data: first })).toEqual({ old_value: null, new_value: first });
      expect(await raw.result('stream::set', { ...m1, data: second })).toEqual({ old_value: first, new_value: second });
      expect(await raw.result('stream::get', m1)).toEqual(second);
      expect(await raw.result('stream::get', { ...room, item_id: 'none' })).toBeUndefined();
      expect(await raw.result('stream::list', room)).toEqual([second]);
      expect(await raw.result('stream::list_groups', { stream_name: 'chat' })).toEqual(['room-1']);
      expect(await raw.result('stream::update', { ...m1, ops: [{ type: 'increment', path: 'n', by: 5 }] })).toMatchObject({
        new_value: { id: 'm1', n: 7 },
      });
      const late = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
      expect((await late.take('sync')).event.data).toEqual([{ id: 'm1', n: 7 }]);
      expect(await raw.result('stream::delete', m1)).toEqual({ old_value: { id: 'm1', n: 7 } });
      expect(await raw.result('stream::delete', m1)).toEqual({ old_value: null });
      await watcher.take('delete');
      expect(watcher.inbox.all.slice(1).map(({ event }) => [event.type, event.data])).toEqual([
        ['create', first],
        ['update', second],
        ['update', { id: 'm1', n: 7 }],
        ['delete', { id: 'm1', n: 7 }],
      ]);
      const authCalls = new Set(worker.seen.all.map(({ data }) => data));
      expect(authCalls).toEqual(new Set(['delete', 'get', 'list', 'list_groups', 'set']));
    });

    test('WP §1.1 a message that it can not take is refused with a code, and it stays connected', async () => {
      shows('calls', sdk);
      const { worker, workerUrl } = await start(sdk);
      const raw = await RawWorker.connect(workerUrl);
      await worker.serve('app::echo', 'echo');
      const half = 'x'.repeat(600_000);
      for (const item_id of ['m1', 'm2']) await worker.call('stream::set', { ...room, item_id, data: half }).catch(() => undefined);
      const called = await raw.call('app::echo', { a: half, b: half });
      const listed = await worker.call('stream::list', room).catch((error: unknown) => (error as LanguageError).code);
      const expected = takesLargeMessages(sdk)
        ? [{ result: { got: { a: half, b: half } } }, [half, half]]
        : [{ error: { code: 'MESSAGE_TOO_LARGE' } }, 'RESULT_TOO_LARGE'];
      expect([called, listed]).toMatchObject(expected);
      expect(await raw.result('app::echo', { a: half })).toMatchObject({ got: { a: half } });
      expect(await worker.call('stream::get', { ...room, item_id: 'm1' })).toBe(half);
    });

    test.each(TELEMETRY_LISTENERS)(
      'SM-5 exports telemetry to a listener %s, over one connection, and prints of no trouble with it',
      async (listener) => {
        shows('telemetry', sdk);
        const { proxy, url, authCalls } = await startBehindProxy(listener);
        const worker = await LanguageWorker.connect(sdk, url, { name: 'telemetry', env: { TELEMETRY: 'on', OTEL_ENABLED: 'true' } });
        const links = [await proxy.next(), await proxy.next()];
        const sent = new Inbox<{ readonly bytes: number }>();
        for (const { client } of links) client.on('data', (data: Buffer) => sent.push({ bytes: data.length }));
        await worker.serve('app::f', 'echo');
        // A call makes spans, which are exported soon after. The frames of the call are shorter than an export.
        for (let n = 0; n < 3; n++) {
          await worker.call('app::f', n);
          await sent.take(({ bytes }) => bytes > EXPORT_BYTES, 'an export');
        }
        expect(await worker.call('app::f', 3)).toMatchObject({ got: 3 });
        expect(proxy.links.all).toHaveLength(2);
        expect(links.map(({ client }) => client.destroyed)).toEqual([false, false]);
        expect(worker.log).not.toMatch(/reconnect|retry|disconnect|error|failed/i);
        expect(authCalls()).toBe(listener === 'with rules' ? 1 : 0);
        await worker.close();
        expect(proxy.links.all).toHaveLength(2);
      },
    );
  });

  describeRestart(sdk);
}

/** Describes the restart: the engine has each registration of a worker once after it starts again. */
function describeRestart(sdk: LanguageSdk): void {
  test.each(['stop', 'kill'] as const)(`SM-3 WP-20 iii-sdk ${sdk} comes back by itself after a %s of the engine`, async (end) => {
    shows('restart', sdk);
    const engine = await EngineProcess.start();
    const worker = await LanguageWorker.connect(sdk, engine.workerUrl);
    await worker.serve('app::echo', 'echo');
    await worker.serve('app::on', 'record');
    await worker.bind('stream', 'app::on', { stream_name: 'chat' });
    await worker.provide('app-hook');
    await worker.bind('app-hook', 'app::echo', { path: '/x' });
    const first = (await worker.took('bound')).data;
    for (const id of ['one', 'two']) {
      await engine[end]();
      await engine.start();
      const raw = await RawWorker.connect(engine.workerUrl);
      expect((await worker.took('bound')).data).toEqual(first);
      expect(await raw.result('app::echo', 21)).toMatchObject({ got: 21 });
      await raw.result('stream::set', { ...room, item_id: id, data: { id } });
      await worker.took('app::on', ({ data }) => (data as { id: string }).id === id);
      await worker.settled();
      expect(await worker.call('stream::get', { ...room, item_id: id })).toEqual({ id });
    }
    expect(worker.seen.all.filter(({ seen }) => seen === 'app::on').map(({ data }) => (data as { id: string }).id)).toEqual(['one', 'two']);
    expect(worker.seen.all.filter(({ seen }) => seen === 'bound')).toHaveLength(3);
  });
}
