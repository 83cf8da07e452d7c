import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

// Cases in which two things of one socket cross: syncs of several groups, refusals, lagging cursors and new joins.

const STREAM = 'st';

async function start(options: TestEngineOptions = {}) {
  const { engine, workerUrl, streamUrl, log } = await startTestEngine(options);
  const worker = await RawWorker.connect(workerUrl);
  const set = (group: string, item: string, data: unknown) =>
    worker.result('stream::set', { stream_name: STREAM, group_id: group, item_id: item, data });
  /** Writes items of `bytes` each, all at once. */
  const fill = (group: string, count: number, bytes: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => set(group, `i${n}`, { id: `i${n}`, pad: 'x'.repeat(bytes) })));
  return { engine, worker, set, fill, streamUrl, log };
}

/** Returns the items of a client that applies every frame: the number `n` of each item id. */
function applied(frames: readonly StreamFrame[]): Map<string, number> {
  const items = new Map<string, number>();
  for (const { id, event } of frames) {
    if (event.type === 'sync' && id === null) {
      items.clear();
      for (const value of event.data as { id: string; n: number }[]) items.set(value.id, value.n);
    } else if (event.type === 'delete') items.delete(String(id));
    else if (event.data !== null) items.set(String(id), (event.data as { n: number }).n);
  }
  return items;
}

test.each([{ lmdb: false }, { lmdb: true }])(
  'ST-6 large syncs of two groups on one socket come whole, one after the other (%o)',
  async (options) => {
    const { fill, streamUrl } = await start(options);
    await Promise.all([fill('a', 300, 400), fill('b', 300, 400)]);
    const client = await StreamSocket.open(streamUrl);
    client.join('1', STREAM, 'a');
    client.join('2', STREAM, 'b');
    const syncs = [await client.take('sync'), await client.take('sync')];
    const sizes = new Map(syncs.map(({ groupId, event }) => [groupId, (event.data as unknown[]).length]));
    expect(sizes).toEqual(
      new Map([
        ['a', 300],
        ['b', 300],
      ]),
    );
  },
);

test('ST-12 a refusal waits for the end of a large sync on the same socket', async () => {
  const { worker, fill, streamUrl } = await start();
  await fill('big', 4_000, 2_000);
  await worker.serve('app::admit', (data) => ({ unauthorized: (data as { group_id: string }).group_id === 'secret' }));
  await worker.bind('stream:join', 'app::admit', {});
  const client = await StreamSocket.open(streamUrl);
  client.socket.pause();
  client.join('1', STREAM, 'big');
  client.join('2', STREAM, 'secret');
  await worker.take('invokefunction', (frame) => (frame.data as { group_id: string }).group_id === 'secret');
  await worker.settled();
  client.socket.resume();
  expect((await client.take('sync')).event.data).toHaveLength(4_000);
  await client.take('unauthorized');
});

test.each([
  ['an item', 'i5'],
  ['the group again', undefined],
])('ST-6 joining %s while the cursor of the group has fallen out of the log leaves no hole', async (_what, item) => {
  const { set, worker, engine, streamUrl } = await start({ stream: { logMaxChanges: 50 } });
  await set('g', 'i0', { id: 'i0', n: -1 });
  const client = await StreamSocket.open(streamUrl);
  client.join('1', STREAM, 'g');
  await client.take('sync');
  client.socket.pause();
  for (let n = 0; n < 150; n++) await set('g', `i${n % 100}`, { id: `i${n % 100}`, n, pad: 'x'.repeat(100_000) });
  client.join('2', STREAM, 'g', item);
  await expect.poll(() => engine.figures().largestSessionBytes).toBeGreaterThan(0);
  client.socket.resume();
  await set('g', 'last', { id: 'last', n: 1_000 });
  await expect.poll(() => applied(client.inbox.all).get('last')).toBe(1_000);
  const stored = (await worker.result('stream::list', { stream_name: STREAM, group_id: 'g' })) as { id: string; n: number }[];
  const held = applied(client.inbox.all);
  expect(stored.filter(({ id, n }) => held.get(id) !== n)).toEqual([]);
  expect(held.size).toBe(stored.length);
});

test('joins that wait for their join function are bounded, whatever id they name, and end with the socket', async () => {
  const { worker, streamUrl, log } = await start({ stream: { maxSubscriptionsPerConnection: 8 } });
  const client = await StreamSocket.open(streamUrl);
  client.join('same', STREAM, 'g');
  await client.take('sync');
  let answer: (value: unknown) => void = () => {};
  await worker.serve('app::admit', () => new Promise((resolve) => (answer = resolve)));
  await worker.bind('stream:join', 'app::admit', {});
  for (let n = 0; n < 50; n++) client.join('same', STREAM, 'g');
  await client.settled();
  const refused = log.filter(({ event, fields }) => event === 'join_ignored' && fields.code === 'TOO_MANY_SUBSCRIPTIONS');
  expect(refused).toHaveLength(42);
  const asked = () => worker.inbox.all.filter((frame) => frame.type === 'invokefunction' && frame.function_id === 'app::admit');
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::admit');
  await client.close();
  answer(null);
  await worker.settled();
  await worker.settled();
  expect(asked()).toHaveLength(1);
});

test('ST-12 a subscription whose join is repeated and refused ends', async () => {
  const { worker, set, streamUrl } = await start();
  let admit = true;
  await worker.serve('app::admit', () => ({ unauthorized: !admit }));
  await worker.serve('app::left', () => null);
  await worker.bind('stream:join', 'app::admit', {});
  await worker.bind('stream:leave', 'app::left', {});
  const client = await StreamSocket.open(streamUrl);
  client.join('1', STREAM, 'g');
  await client.take('sync');
  admit = false;
  client.join('1', STREAM, 'g');
  await client.take('unauthorized');
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::left');
  await set('g', 'i1', { id: 'i1', n: 1 });
  await client.settled();
  expect(client.kinds()).not.toContain('create');
});
