import { fileURLToPath } from 'node:url';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const MODULE = fileURLToPath(new URL('../../redacting-adapter.mjs', import.meta.url));
const ITEM = { stream_name: 'orders', group_id: 'open', item_id: 'o1' };

test('nobody gets a masked field or a dropped event, and the store has all', async () => {
  const config = '{ path: ./kept, mask: [card], drop_events: [typing] }';
  const engine = await EngineProcess.start({ adapter: `{ module: ${JSON.stringify(MODULE)}, config: ${config} }` });
  const watch = () => StreamSocket.open(`${engine.streamUrl}/stream/orders/open`);
  const board = await watch();
  await board.take('sync');
  const worker = await RawWorker.connect(engine.workerUrl);
  const send = (type: string) =>
    worker.result('stream::send', { stream_name: 'orders', group_id: 'open', type, data: { card: '4111-1111-1111' } });

  const shown = { id: 'o1', total: 5, by: { card: '***' } };
  const written = await worker.result('stream::set', { ...ITEM, data: { id: 'o1', total: 5, by: { card: '4111-1111-1111' } } });
  expect(written).toEqual({ old_value: null, new_value: shown });
  expect((await board.take('create')).event.data).toEqual(shown);
  await worker.result('stream::update', { ...ITEM, ops: [{ type: 'increment', path: 'total', by: 1 }] });
  expect((await board.take('update')).event.data).toEqual({ ...shown, total: 6 });
  expect(await worker.result('stream::get', ITEM)).toEqual({ ...shown, total: 6 });
  expect(await worker.result('stream::list', ITEM)).toEqual([{ ...shown, total: 6 }]);
  expect((await (await watch()).take('sync')).event.data).toEqual([{ ...shown, total: 6 }]);

  expect(await send('typing')).toBeNull();
  await send('paid');
  const first = await board.take('event');
  expect(first.event.event).toEqual({ type: 'paid', data: { card: '***' } });
  await board.settled();
  expect(board.kinds()).toEqual(['sync', 'create', 'update', 'event']);
  expect(JSON.stringify(board.inbox.all)).not.toContain('4111-1111-1111');
  await engine.stop();

  // The same directory without the adapter.
  const plain = await EngineProcess.start({
    directory: engine.directory,
    adapter: '{ name: kv, config: { store_method: file_based, file_path: ./kept } }',
  });
  const reader = await RawWorker.connect(plain.workerUrl);
  expect(await reader.result('stream::get', ITEM)).toEqual({ id: 'o1', total: 6, by: { card: '4111-1111-1111' } });
});
