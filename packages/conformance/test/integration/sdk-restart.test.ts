import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { connectOfficial, type OfficialWorker, type ProvidedTrigger, SDK_VERSIONS } from '@rivulet/testkit/peers/official-worker';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, test } from 'vitest';
import { shows } from '../harness/client-matrix.js';

const room = { stream_name: 'chat', group_id: 'room-1' };
const set = (worker: OfficialWorker, id: string) => worker.call('stream::set', { ...room, item_id: id, data: { id } });

/** Makes a worker with a function, a stream trigger, and a trigger type with one binding. */
async function equip(engine: { readonly workerUrl: string }, version: OfficialWorker['version']) {
  const worker = await connectOfficial(version, engine.workerUrl);
  const fired = new Inbox<StreamFrame>();
  const bound = new Inbox<ProvidedTrigger>();
  worker.registerFunction(`app::double-${version}`, (data) => Promise.resolve((data as number) * 2));
  worker.registerFunction(`app::on-${version}`, (data) => Promise.resolve(fired.push(data as StreamFrame)));
  worker.registerTrigger({ type: 'stream', function_id: `app::on-${version}`, config: { stream_name: 'chat' } });
  worker.registerTriggerType(`hook-${version}`, {
    registerTrigger: (trigger) => Promise.resolve(bound.push(trigger)),
    unregisterTrigger: () => Promise.resolve(),
  });
  worker.registerTrigger({ type: `hook-${version}`, function_id: `app::double-${version}`, config: { path: '/x' } });
  await worker.settled();
  return { worker, fired, bound };
}

describe.each(['stop', 'kill'] as const)('the engine is ended by %s and starts again on its ports', (end) => {
  test.each(SDK_VERSIONS)(
    'SM-3 iii-sdk %s comes back by itself with its function, its triggers and its trigger type, each once',
    async (version) => {
      shows('restart', `node ${version}`);
      const engine = await EngineProcess.start();
      const { worker, fired, bound } = await equip(engine, version);
      const first = await bound.take(() => true, 'the binding');
      await set(worker, 'before');
      await fired.take(({ id }) => id === 'before', 'the first event');
      await engine[end]();
      await engine.start();
      const subscriber = await StreamSocket.open(`${engine.streamUrl}/stream/chat/room-1`);
      expect((await subscriber.take('sync')).event.data).toEqual([{ id: 'before' }]);
      // The worker is disconnected. The SDK keeps the call and sends it on the next connection.
      await set(worker, 'after');
      expect((await subscriber.take('create')).event.data).toEqual({ id: 'after' });
      await fired.take(({ id }) => id === 'after', 'the event after the restart');
      expect(await bound.take(() => true, 'the binding after the restart')).toEqual(first);
      const caller = await RawWorker.connect(engine.workerUrl);
      expect(await caller.result(`app::double-${version}`, 21)).toBe(42);
      await worker.settled();
      expect(fired.all.map(({ id }) => id)).toEqual(['before', 'after']);
      expect(bound.all).toHaveLength(2);
    },
  );
});

test('SM-3 all versions come back from two restarts in a row, and every function runs in the worker that registered it', async () => {
  const engine = await EngineProcess.start();
  const equipped = await Promise.all(SDK_VERSIONS.map((version) => equip(engine, version)));
  for (const round of ['one', 'two']) {
    await engine.kill();
    await engine.start();
    await Promise.all(equipped.map(({ worker }) => worker.settled()));
    for (const { worker } of equipped) {
      const results = await Promise.all(SDK_VERSIONS.map((version, n) => worker.call(`app::double-${version}`, n)));
      expect(results).toEqual([0, 2, 4, 6, 8, 10]);
    }
    const [{ worker }] = equipped as [(typeof equipped)[number]];
    await set(worker, round);
    for (const { fired } of equipped) await fired.take(({ id }) => id === round, `the event of round ${round}`);
  }
  await Promise.all(equipped.map(({ worker }) => worker.settled()));
  for (const { fired } of equipped) expect(fired.all.map(({ id }) => id)).toEqual(['one', 'two']);
});

/** Makes a worker behind a proxy. The proxy drops the connection of the worker and keeps that of the engine. */
async function lose(version: OfficialWorker['version']) {
  const { workerUrl } = await startTestEngine();
  const proxy = await HalfOpenProxy.to(workerUrl);
  const equipped = await equip({ workerUrl: proxy.url }, version);
  const caller = await RawWorker.connect(workerUrl);
  const changes = new Inbox<Frame>();
  await caller.serve('test::workers', (data) => changes.push(data as Frame));
  await caller.bind('engine::workers-available', 'test::workers', {});
  const lost = await proxy.next();
  lost.client.destroy();
  /** Calls the function of the worker, and makes one event that must fire the trigger once. */
  const check = async (id: string) => {
    expect(await caller.result(`app::double-${version}`, 21)).toBe(42);
    await caller.result('stream::set', { ...room, item_id: id, data: { id } });
    await equipped.fired.take((frame) => frame.id === id, `the event of ${id}`);
    await equipped.worker.settled();
    expect(equipped.fired.all.filter((frame) => frame.id === id)).toHaveLength(1);
  };
  return { ...equipped, changes, lost, back: proxy.next(), check };
}

test.each(SDK_VERSIONS)(
  'WP-12 SM-3 iii-sdk %s takes over from a connection that the engine still believes in, and its end removes nothing',
  async (version) => {
    shows('restart', `node ${version}`);
    const { worker, changes, lost, back, check } = await lose(version);
    await back;
    await worker.settled();
    await check('while the old connection is open');
    lost.upstream.destroy();
    await changes.take(({ event }) => event === 'worker_disconnected', 'the end of the old connection');
    await check('after the end of the old connection');
  },
);

test('WP-13 SM-3 iii-sdk 0.22.1 names its old connection when it comes back, and the engine ends that one', async () => {
  const { worker, lost, back, check } = await lose('0.22.1');
  await back;
  await lost.ended;
  await worker.settled();
  await check('after the old connection was ended');
});
