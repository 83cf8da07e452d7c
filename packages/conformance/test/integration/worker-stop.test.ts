import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const ITEM = { stream_name: 's', group_id: 'g', item_id: 'i' };

/** Starts an engine and stops it while the function of `executor` runs for `caller`. `end` lets the function finish. */
async function stopping(lmdb: boolean, handler: (executor: RawWorker) => Promise<unknown>) {
  const started = await startTestEngine({ lmdb });
  const executor = await RawWorker.connect(started.workerUrl);
  const caller = await RawWorker.connect(started.workerUrl);
  const idle = await RawWorker.connect(started.workerUrl);
  await idle.settled();
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  await executor.serve('app::job', async () => {
    await ended;
    return handler(executor);
  });
  const answer = caller.call('app::job', {});
  await executor.take('invokefunction');
  const stopped = started.stop();
  // The engine refuses new connections at once. It closes workers as soon as the stream port is closed.
  for (;;) {
    const { error } = await idle.call('engine::health::check', {});
    if (error !== undefined) return { ...started, idle, caller, answer, stopped, end, error };
  }
}

test.each([false, true])('WP-20 a stop carries out the calls that a function in flight makes (lmdb: %s)', async (lmdb) => {
  const { answer, stopped, end, log, caller } = await stopping(lmdb, async (executor) => {
    await executor.result('stream::set', { ...ITEM, data: 7 });
    return executor.result('stream::get', ITEM);
  });
  end();
  expect((await answer).result).toBe(7);
  expect((await caller.closed).code).toBe(1012);
  await stopped;
  expect(log.filter(({ event }) => event === 'calls_cut_off')).toEqual([]);
});

test('a stop answers other calls at once with ENGINE_STOPPING, void ones with silence', async () => {
  const { idle, error, end, answer, stopped, log } = await stopping(false, async () => 'done');
  expect(error).toEqual({ code: 'ENGINE_STOPPING', message: expect.stringContaining('again') });
  idle.send({ type: 'invokefunction', invocation_id: 'void', function_id: 'stream::set', action: { type: 'void' }, data: {} });
  expect(await idle.errorCode('stream::set', { ...ITEM, data: 1 })).toBe('ENGINE_STOPPING');
  expect(idle.inbox.all.filter(({ invocation_id }) => invocation_id === 'void')).toEqual([]);
  expect(log).toContainEqual(expect.objectContaining({ level: 'warn', event: 'void_call_failed' }));
  end();
  expect((await answer).result).toBe('done');
  await stopped;
});

test('a stop waits for what a function in flight asked without waiting for it', async () => {
  const asked: Promise<unknown>[] = [];
  const { answer, stopped, end } = await stopping(true, async (executor) => {
    for (let n = 0; n < 50; n++) asked.push(executor.call('stream::set', { ...ITEM, item_id: `i${n}`, data: n }));
    return 'done';
  });
  end();
  expect((await answer).result).toBe('done');
  expect((await Promise.all(asked)).filter((each) => (each as { error?: unknown }).error !== undefined)).toEqual([]);
  await stopped;
});
