import { setTimeout as pause } from 'node:timers/promises';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { connectOfficial } from '@rivulet/testkit/peers/official-worker';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import type { StreamFrame } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

/** 0.22.1 checks its connection every 20 s, and ends it if nothing came for 60 s. */
const IDLE_MS = 70_000;

test('WP-19 iii-sdk 0.22.1 stays on one connection through 70 s without a call, and is usable in both directions after it', async () => {
  const engine = await EngineProcess.start();
  const proxy = await HalfOpenProxy.to(engine.workerUrl);
  const worker = await connectOfficial('0.22.1', proxy.url);
  const fired = new Inbox<StreamFrame>();
  worker.registerFunction('app::who', (data) => Promise.resolve((data as { _caller_worker_id: string })._caller_worker_id));
  worker.registerFunction('app::on', (data) => Promise.resolve(fired.push(data as StreamFrame)));
  worker.registerTrigger({ type: 'stream', function_id: 'app::on', config: { stream_name: 'chat' } });
  await worker.settled();
  const before = await worker.call('app::who', {});
  await pause(IDLE_MS);
  expect(await worker.call('app::who', {})).toBe(before);
  expect(proxy.links.all).toHaveLength(1);
  const caller = await RawWorker.connect(engine.workerUrl);
  expect(await caller.result('app::who', {})).toBe(await caller.workerId());
  await caller.result('stream::set', { stream_name: 'chat', group_id: 'g', item_id: 'i', data: {} });
  expect(await fired.take(() => true, 'the event')).toMatchObject({ id: 'i', event: { type: 'create' } });
});
