import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const MODULE = fileURLToPath(new URL('../../sql-adapter.mjs', import.meta.url));
const adapter = `{ module: ${JSON.stringify(MODULE)}, config: { file: ./kept/streams.sqlite } }`;

test.each(['stop', 'kill'] as const)('streams are kept in SQL across a %s, and changes reach a WebSocket client', async (end) => {
  const engine = await EngineProcess.start({ adapter });
  const watch = () => StreamSocket.open(`${engine.streamUrl}/stream/chat/room`);
  const before = await watch();
  expect((await before.take('sync')).event.data).toEqual([]);
  let worker = await RawWorker.connect(engine.workerUrl);
  const set = (item: string, data: unknown) => worker.result('stream::set', { stream_name: 'chat', group_id: 'room', item_id: item, data });
  await set('m1', { id: 'm1', text: 'hello' });
  await set('m2', { id: 'm2', text: 'gone' });
  await worker.result('stream::delete', { stream_name: 'chat', group_id: 'room', item_id: 'm2' });
  expect((await before.take('create')).event.data).toEqual({ id: 'm1', text: 'hello' });
  const deleted = await before.take('delete');
  expect(deleted.id).toBe('m2');

  await engine[end]();
  expect((await readFile(join(engine.directory, 'kept/streams.sqlite'))).subarray(0, 15).toString()).toBe('SQLite format 3');
  await engine.start();

  const after = await watch();
  const sync = await after.take('sync');
  expect(sync.event.data).toEqual([{ id: 'm1', text: 'hello' }]);
  worker = await RawWorker.connect(engine.workerUrl);
  await set('m1', { id: 'm1', text: 'edited' });
  const update = await after.take('update');
  expect(update.event.data).toEqual({ id: 'm1', text: 'edited' });
  expect(update.timestamp).toBeGreaterThan(deleted.timestamp);
  const answer = await worker.result('stream::list', { stream_name: 'chat', group_id: 'room' });
  expect(answer).toEqual([{ id: 'm1', text: 'edited' }]);
  // Every store has versions. The other options need a store with `write`.
  const item = { stream_name: 'chat', group_id: 'room', item_id: 'm1' };
  expect(await worker.result('stream::get', { ...item, with_versions: true })).toMatchObject({ data: { text: 'edited' } });
  expect(await worker.errorCode('stream::set', { ...item, data: 1, if_absent: true })).toBe('INVALID_ARGUMENTS');
});

test('a kill under load takes back no write that was answered', async () => {
  const engine = await EngineProcess.start({ adapter });
  const answered = new Set<string>();
  const worker = await RawWorker.connect(engine.workerUrl);
  const started = new Promise<void>((resolve) => {
    const writer = async (lane: number) => {
      for (let n = 0; ; n++) {
        const item = `m${lane}-${n}`;
        await worker.result('stream::set', { stream_name: 'chat', group_id: 'room', item_id: item, data: item });
        answered.add(item);
        if (answered.size >= 500) resolve();
      }
    };
    // Each process ends with the engine.
    for (let lane = 0; lane < 20; lane++) void writer(lane).catch(() => {});
  });
  await started;
  await engine.kill();
  await worker.closed;
  await engine.start();
  const reader = await RawWorker.connect(engine.workerUrl);
  const kept = (await reader.result('stream::list', { stream_name: 'chat', group_id: 'room' })) as string[];
  expect([...answered].filter((item) => !kept.includes(item))).toEqual([]);
});

test('state is kept in SQL too, across a restart', async () => {
  const engine = await EngineProcess.start({ state: [], stateAdapter: adapter.replace('streams.sqlite', 'state.sqlite') });
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.result('state::set', { scope: 'orders', key: 'o1', value: { status: 'open' } });
  expect(await engine.stop()).toBe(0);
  await engine.start();
  const again = await RawWorker.connect(engine.workerUrl);
  const set = { scope: 'orders', key: 'o1', value: { status: 'paid' } };
  expect(await again.result('state::set', set)).toMatchObject({ old_value: { status: 'open' }, new_value: { status: 'paid' } });
});

test('two engines do not share a database', async () => {
  const first = await EngineProcess.start({ adapter });
  const second = EngineProcess.start({ adapter: adapter.replace('./kept', `${first.directory}/kept`) });
  await expect(second).rejects.toThrow(new RegExp(`sql-adapter\\.mjs: start failed: .*streams\\.sqlite is in use by process ${first.pid}`));
});
