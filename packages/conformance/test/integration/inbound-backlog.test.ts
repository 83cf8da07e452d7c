import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { frame, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const room = { stream_name: 's', group_id: 'g', item_id: 'i' };
const PADDING = 'é'.repeat(200_000);
const invoke = (id: string, data: object, invocation?: string) => ({
  type: 'invokefunction',
  function_id: `stream::${id}`,
  data: { ...room, ...data },
  ...(invocation === undefined ? {} : { invocation_id: invocation }),
});

async function corked(worker: RawWorker, send: () => void): Promise<void> {
  const raw = (worker.socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
  raw.cork();
  send();
  raw.uncork();
}

test.each([{ lmdb: false }, { lmdb: true }])('frames that wait for a later turn keep their order (lmdb: $lmdb)', async ({ lmdb }) => {
  const { workerUrl } = await startTestEngine({ lmdb });
  const worker = await RawWorker.connect(workerUrl);
  await worker.result('stream::set', { ...room, data: { n: 0, PADDING } });
  const rounds = 40;
  await corked(worker, () => {
    for (let n = 1; n <= rounds; n++) {
      worker.send(invoke('update', { ops: [{ type: 'increment', path: 'n', by: 1 }] }));
      worker.send(invoke('get', {}, `get ${n}`));
    }
  });
  const seen: unknown[] = [];
  for (let n = 1; n <= rounds; n++) {
    const answer = await worker.take('invocationresult', ({ invocation_id: id }) => id === `get ${n}`);
    seen.push((answer.result as { n: number }).n);
  }
  expect(seen).toEqual(Array.from({ length: rounds }, (_, n) => n + 1));
});

test('frames that wait for a later turn take effect when their worker closes right behind them', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  await worker.result('stream::set', { ...room, data: { n: 0, PADDING } });
  await corked(worker, () => {
    for (let n = 0; n < 60; n++) worker.send(invoke('update', { ops: [{ type: 'increment', path: 'n', by: 1 }] }));
    worker.socket.close();
  });
  await worker.closed;
  const other = await RawWorker.connect(workerUrl);
  expect(await other.result('stream::get', room)).toMatchObject({ n: 60 });
});

test('frames that wait for a later turn take effect when a frame behind them breaks the protocol', async () => {
  const { workerUrl } = await startTestEngine();
  const other = await RawWorker.connect(workerUrl);
  await other.result('stream::set', { ...room, data: { n: 0, PADDING } });
  const peer = await RawSocket.upgrade(workerUrl);
  const update = frame({ payload: JSON.stringify(invoke('update', { ops: [{ type: 'increment', path: 'n', by: 1 }] })) });
  peer.write(Buffer.concat([...Array.from({ length: 60 }, () => update), frame({ opcode: 3 })]));
  expect(await peer.ended).toMatchObject({ code: 1002 });
  expect(await other.result('stream::get', room)).toMatchObject({ n: 60 });
});

test('the pong of a ping comes behind the answers to the frames before it', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  await worker.result('stream::set', { ...room, data: { n: 0, PADDING } });
  const came: string[] = [];
  worker.socket.on('message', (data: Buffer) => came.push((JSON.parse(data.toString()) as { invocation_id: string }).invocation_id));
  const ponged = new Promise<void>((resolve) => {
    worker.socket.once('pong', () => {
      came.push('pong');
      resolve();
    });
  });
  await corked(worker, () => {
    for (let n = 0; n < 40; n++) worker.send(invoke('get', {}, `get ${n}`));
    worker.socket.ping();
  });
  await ponged;
  expect(came).toEqual([...Array.from({ length: 40 }, (_, n) => `get ${n}`), 'pong']);
});
