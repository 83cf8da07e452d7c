import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const room = { stream_name: 'chat', group_id: 'room-1' };

test.each([{ lmdb: false }, { lmdb: true }])(
  'a chat keeps its last messages: clients and triggers get the deletes (LMDB: $lmdb)',
  async ({ lmdb }) => {
    const { workerUrl, streamUrl } = await startTestEngine({
      lmdb,
      stream: { groupBounds: [{ streams: 'c*', maxItems: 2, maxBytes: undefined, maxAgeMs: undefined, onFull: 'delete_oldest' }] },
    });
    const worker = await RawWorker.connect(workerUrl);
    const fired: unknown[] = [];
    await worker.serve('app::fired', (data) => void fired.push(data));
    await worker.bind('stream', 'app::fired', { stream_name: 'chat' });
    const set = (item: string) => worker.result('stream::set', { ...room, item_id: item, data: { id: item } });
    await set('m1');
    await set('m2');
    const client = await StreamSocket.open(streamUrl);
    client.joinWithPositions('s', 'chat', 'room-1');
    await client.take('sync');
    const plain = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await plain.take('sync');
    expect(await set('m3')).toEqual({ old_value: null, new_value: { id: 'm3' } });
    expect(await client.take('create')).toMatchObject({ id: 'm3', offset: 3, through: 4 });
    expect(await client.take('delete')).toMatchObject({ id: 'm1', offset: 4, through: 4 });
    expect(await plain.take('create')).toMatchObject({ id: 'm3' });
    expect(await plain.take('delete')).toMatchObject({ id: 'm1', event: { data: { id: 'm1' } } });
    expect(await worker.result('stream::list', room)).toEqual([{ id: 'm2' }, { id: 'm3' }]);
    await worker.take('invokefunction', ({ data }) => (data as { event?: { type?: unknown } }).event?.type === 'delete');
    expect(fired).toMatchObject([
      { event: { type: 'create' }, id: 'm1' },
      { event: { type: 'create' }, id: 'm2' },
      { event: { type: 'create' }, id: 'm3' },
      { event: { type: 'delete' }, id: 'm1' },
    ]);
    for (const item of ['a', 'b', 'c']) await worker.result('stream::set', { stream_name: 'board', group_id: 'g', item_id: item, data: 1 });
    expect(await worker.result('stream::list', { stream_name: 'board', group_id: 'g' })).toHaveLength(3);
  },
);

test('a full group refuses a write with GROUP_FULL, and the worker knows what to do', async () => {
  const { workerUrl } = await startTestEngine({
    stream: { groupBounds: [{ streams: '*', maxItems: 1, maxBytes: undefined, maxAgeMs: undefined, onFull: 'refuse' }] },
  });
  const worker = await RawWorker.connect(workerUrl);
  await worker.result('stream::set', { ...room, item_id: 'a', data: 1 });
  const { error } = await worker.call('stream::set', { ...room, item_id: 'b', data: 1 });
  expect(error).toMatchObject({
    code: 'GROUP_FULL',
    message: 'the group is full: max_items is 1, and it would have 2; delete items, or raise the bound in group_bounds',
  });
  const batch = { ...room, writes: [{ type: 'set', item_id: 'b', data: 1 }] };
  expect(await worker.errorCode('stream::batch', batch)).toBe('GROUP_FULL');
  // State has no bounds.
  for (const key of ['a', 'b', 'c']) await worker.result('state::set', { scope: 's', key, data: 1 });
});
