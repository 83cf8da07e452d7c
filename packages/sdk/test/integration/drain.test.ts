import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { InvocationError } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const codeOf = (error: InvocationError) => error.code;

/** Starts a worker behind a proxy. It runs `app::slow` for `caller` until `end` is called, and drains. */
async function draining() {
  const { workerUrl } = await startTestEngine();
  const proxy = await HalfOpenProxy.to(workerUrl);
  const [worker, caller] = [connectWorker(proxy.url), connectWorker(workerUrl)];
  const begun = new Inbox<(answer: unknown) => void>();
  worker.registerFunction('app::slow', () => new Promise((resolve) => begun.push(resolve)));
  await settled(worker);
  const answer = caller.trigger<unknown, string>({ function_id: 'app::slow', payload: {} });
  const end = await begun.take(() => true, 'the call');
  const drained = worker.drain();
  // The worker made this call after it removed its functions. So its answer proves that the first round trip of `drain` has ended.
  await settled(worker);
  return { worker, caller, answer, end, drained, link: await proxy.next() };
}

test('drain waits until the answers have arrived, over a slow network too', async () => {
  const { answer, end, drained, link } = await draining();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  link.client.pause();
  end('x'.repeat(12_000_000));
  for (let second = 0; second < 20; second++) {
    for (let n = 0; n < 10; n++) await turn();
    vi.advanceTimersByTime(1_000);
  }
  link.client.resume();
  expect((await answer).length).toBe(12_000_000);
  await drained;
});

test('a worker that drains, or is closed, registers nothing', async () => {
  const { worker, caller, answer, end, drained } = await draining();
  const provider = { registerTrigger: async () => {}, unregisterTrigger: async () => {} };
  const tries = [
    () => worker.registerFunction('app::late', () => 1),
    () => worker.registerTrigger({ type: 'stream', function_id: 'app::slow', config: {} }),
    () => worker.registerTriggerType({ id: 'late', description: '' }, provider),
    () => worker.registerService({ id: 'late' }),
  ];
  for (const attempt of tries) expect(attempt).toThrow('WORKER_CLOSED: the worker drains');
  await settled(worker);
  expect(await caller.trigger({ function_id: 'app::late', payload: {} }).catch(codeOf)).toBe('function_not_found');
  end('done');
  expect(await answer).toBe('done');
  await drained;
  for (const attempt of tries) expect(attempt).toThrow('WORKER_CLOSED: the worker is closed');
});
