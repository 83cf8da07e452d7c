import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';
import type { ConnectionState, InvocationError, ISdk } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

const set = (worker: ISdk, id: string) =>
  worker.trigger({ function_id: 'stream::set', payload: { stream_name: 'chat', group_id: 'r', item_id: id, data: { id } } });

function equip(worker: ISdk) {
  const fired = new Inbox<string>();
  const bound = new Inbox<{ readonly id: string }>();
  const ended: string[] = [];
  worker.registerFunction('app::double', (n: number) => n * 2);
  worker.registerFunction('app::on', ({ id }: { id: string }) => fired.push(id));
  worker.registerTrigger({ type: 'stream', function_id: 'app::on', config: { stream_name: 'chat' } });
  worker.registerTriggerType(
    { id: 'hook', description: '' },
    { registerTrigger: async ({ id }) => bound.push({ id }), unregisterTrigger: async ({ id }) => void ended.push(id) },
  );
  worker.registerTrigger({ type: 'hook', function_id: 'app::double', config: {} });
  return { fired, bound, ended };
}

test.each(['kill', 'stop'] as const)('SM-3 after a %s of the engine everything is there again, once', async (end) => {
  const engine = await EngineProcess.start();
  const worker = connectWorker(engine.workerUrl);
  const { fired, bound, ended } = equip(worker);
  await settled(worker);
  const binding = await bound.take(() => true, 'the binding');
  await set(worker, 'before');
  await fired.take((id) => id === 'before', 'the first event');
  const states = new Inbox<ConnectionState>();
  worker.onConnectionState((state) => states.push(state));
  await engine[end]();
  await states.take(({ kind }) => kind === 'waiting', 'the loss');
  const queued = set(worker, 'after');
  const timedOut = worker.trigger({ function_id: 'app::double', payload: 1, timeoutMs: 1 }).catch((error: InvocationError) => error.code);
  expect(await timedOut).toBe('TIMEOUT');
  await engine.start();
  await queued;
  await fired.take((id) => id === 'after', 'the event after the restart');
  const caller = await RawWorker.connect(engine.workerUrl);
  expect(await caller.result('app::double', 21)).toBe(42);
  await settled(worker);
  expect(fired.all).toEqual(['before', 'after']);
  expect([bound.all, ended]).toEqual([[binding], []]);
});

test('a call in flight fails with CONNECTION_LOST as soon as the engine has ended', async () => {
  const engine = await EngineProcess.start();
  const worker = connectWorker(engine.workerUrl);
  const begun = new Inbox<boolean>();
  worker.registerFunction('app::never', () => {
    begun.push(true);
    return new Promise(() => {});
  });
  await settled(worker);
  const running = worker.trigger({ function_id: 'app::never', payload: {} }).catch((error: InvocationError) => error.code);
  await begun.take(() => true, 'the call');
  await engine.kill();
  expect(await running).toBe('CONNECTION_LOST');
});

test('WP-13 it names its old connection when it comes back, and the engine ends that one', async () => {
  const { workerUrl } = await startTestEngine();
  const proxy = await HalfOpenProxy.to(workerUrl);
  const worker = connectWorker(proxy.url);
  const { fired } = equip(worker);
  await settled(worker);
  const first = worker.workerId;
  const lost = await proxy.next();
  lost.client.destroy();
  await proxy.next();
  await lost.ended;
  await settled(worker);
  expect(worker.workerId).not.toBe(first);
  await set(worker, 'one');
  await fired.take((id) => id === 'one', 'the event');
  await settled(worker);
  expect(fired.all).toEqual(['one']);
});

test('calls made while there is no engine are bounded, and end with the worker', async () => {
  const worker = connectWorker('ws://127.0.0.1:9', { maxQueuedCalls: 1 });
  const code = (error: InvocationError) => error.code;
  const first = worker.trigger({ function_id: 'f', payload: 1 }).catch(code);
  expect(await worker.trigger({ function_id: 'f', payload: 1 }).catch(code)).toBe('QUEUE_FULL');
  await worker.close();
  expect(await first).toBe('WORKER_CLOSED');
  expect(await worker.trigger({ function_id: 'f', payload: 1 }).catch(code)).toBe('WORKER_CLOSED');
});
