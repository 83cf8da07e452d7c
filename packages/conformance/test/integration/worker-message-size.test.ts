import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const MIB = 1_048_576;
const ITEM = { stream_name: 's', group_id: 'g', item_id: 'i' };

async function start() {
  const { workerUrl, log } = await startTestEngine();
  // The client closes with 1009 on a larger message, as Python's client does.
  const python = await RawWorker.connect(workerUrl, { maxPayload: MIB });
  await python.result('engine::workers::register', { runtime: 'python', version: '0.11.0', name: 'py', pid: 1 });
  const node = await RawWorker.connect(workerUrl);
  return { python, node, log };
}

const large = (letter: string) => letter.repeat(700_000);

test('WP §1.1 an answer that a Python worker can not take is RESULT_TOO_LARGE, and the write stays done', async () => {
  const { python, node } = await start();
  await python.result('stream::set', { ...ITEM, data: large('x') });
  const answer = await python.call('stream::set', { ...ITEM, data: large('y') });
  expect(answer.error).toEqual({ code: 'RESULT_TOO_LARGE', message: expect.stringContaining('stays written') });
  expect(await python.result('stream::get', ITEM)).toBe(large('y'));
  await node.result('stream::set', { ...ITEM, data: { wide: '€'.repeat(350_000) } });
  for (const [id, input] of [
    ['stream::get', ITEM],
    ['stream::update', { ...ITEM, ops: [{ type: 'set', path: 'n', value: 1 }] }],
  ] as const) {
    expect([id, await python.errorCode(id, input, { baggage: large('b') })]).toEqual([id, 'RESULT_TOO_LARGE']);
  }
  expect(await node.result('stream::get', ITEM)).toMatchObject({ n: 1 });
  expect(python.socket.readyState).toBe(1);
});

test('WP §1.1 an error of a function that is too large for its Python caller is reported, not sent', async () => {
  const { python, node } = await start();
  node.send({ type: 'registerfunction', id: 'app::f' });
  await node.settled();
  const answer = python.call('app::f', {});
  const { invocation_id } = await node.take('invokefunction');
  node.send({ type: 'invocationresult', invocation_id, function_id: 'app::f', error: { code: 'E', message: large('m') + large('m') } });
  expect((await answer).error).toMatchObject({ code: 'RESULT_TOO_LARGE' });
});

test('WP §1.1 a call that is too large for its Python executor fails towards the caller, which is not held', async () => {
  const { python, node, log } = await start();
  await python.serve('app::f', () => 'ran');
  expect((await node.call('app::f', { a: large('a'), b: large('b') })).error).toEqual({
    code: 'MESSAGE_TOO_LARGE',
    message: expect.stringContaining(String(MIB)),
  });
  expect(await node.result('app::f', { a: large('a') })).toBe('ran');
  expect(log.filter(({ event }) => event === 'frame_too_large')).toMatchObject([{ level: 'warn', fields: { limit: MIB } }]);
});

test.each([
  [['observe.v1', 'large-messages.v1'], undefined],
  [['observe.v1'], 'RESULT_TOO_LARGE'],
  ['large-messages.v1', 'RESULT_TOO_LARGE'],
  [{ 0: 'large-messages.v1' }, 'RESULT_TOO_LARGE'],
])('WP §1.1 a Python worker that announces the features %j is answered with at most what it takes', async (features, code) => {
  const { node } = await start();
  const worker = await RawWorker.connect(node.socket.url);
  await worker.result('engine::workers::register', { runtime: 'python', version: '0.25.0', name: 'py', pid: 1, features });
  await node.result('stream::set', { ...ITEM, data: [large('x'), large('y')] });
  expect(await worker.errorCode('stream::get', ITEM)).toBe(code);
});

test('WP §1.1 a trigger that is too large for the Python provider of its type is refused', async () => {
  const { python, node } = await start();
  python.send({ type: 'registertriggertype', id: 'hook', description: '' });
  await python.settled();
  const id = await node.bind('hook', 'app::f', { a: large('a'), b: large('b') });
  expect(await node.take('triggerregistrationresult')).toMatchObject({ id, error: { code: 'trigger_registration_failed' } });
  expect(python.socket.readyState).toBe(1);
});
