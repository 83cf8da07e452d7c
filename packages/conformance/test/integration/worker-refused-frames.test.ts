import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const DEEP = '['.repeat(LIMITS.jsonDepth + 1) + ']'.repeat(LIMITS.jsonDepth + 1);

test('an answer that the engine refuses fails the call towards its caller, and the executor holds it no more', async () => {
  const { workerUrl, log } = await startTestEngine();
  const executor = await RawWorker.connect(workerUrl);
  const caller = await RawWorker.connect(workerUrl);
  executor.send({ type: 'registerfunction', id: 'app::f' });
  await executor.settled();
  const wide = `[${'0,'.repeat(LIMITS.jsonNodes)}0]`;
  for (const [result, reason] of [
    [wide, 'values'],
    [DEEP, 'levels'],
    ['NaN', 'JSON'],
  ] as const) {
    const answer = caller.call('app::f', {});
    const { invocation_id } = await executor.take('invokefunction');
    executor.sendText(`{"type":"invocationresult","result":${result},"function_id":"app::f","invocation_id":"${String(invocation_id)}"}`);
    expect((await answer).error).toEqual({ code: 'deserialization_error', message: expect.stringContaining(reason) });
  }
  const { workers } = (await caller.result('engine::workers::list', {})) as { workers: { active_invocations?: number }[] };
  expect(workers.map((worker) => worker.active_invocations ?? 0).filter((count) => count > 0)).toEqual([]);
  expect(log.filter(({ event }) => event === 'answer_refused')).toHaveLength(3);
});

test('only the executor can fail a call so, and a refused answer to no call changes nothing', async () => {
  const { workerUrl } = await startTestEngine();
  const executor = await RawWorker.connect(workerUrl);
  const caller = await RawWorker.connect(workerUrl);
  executor.send({ type: 'registerfunction', id: 'app::f' });
  await executor.settled();
  const answer = caller.call('app::f', {});
  const { invocation_id } = await executor.take('invokefunction');
  caller.sendText(`{"type":"invocationresult","invocation_id":"${String(invocation_id)}","result":${DEEP}}`);
  await caller.settled();
  executor.sendText(
    `{"type":"invocationresult","invocation_id":"other","result":{"invocation_id":"${String(invocation_id)}","x":${DEEP}}}`,
  );
  executor.send({ type: 'invocationresult', invocation_id, function_id: 'app::f', result: 'right' });
  expect((await answer).result).toBe('right');
});

test('a call that is too deep to be read is answered; WP-5 a void call never is', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const call = (id: string, more: string) => `{"type":"invokefunction","invocation_id":"${id}",${more}}`;
  worker.sendText(call('v1', `"function_id":"f","action":{"type":"void"},"data":${DEEP}`));
  worker.sendText(call('v2', `"function_id":7,"action":{"type":"void"}`));
  worker.sendText(call('v3', `"function_id":"${'x'.repeat(LIMITS.registryIdBytes + 1)}","action":{"type":"void"}`));
  worker.sendText(call('deep', `"function_id":"f","data":${DEEP}`));
  expect(await worker.take('invocationresult')).toMatchObject({
    invocation_id: 'deep',
    function_id: 'f',
    error: { code: 'deserialization_error', message: expect.stringContaining('levels') },
  });
});
