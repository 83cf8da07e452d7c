import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { askJson } from '../harness/admin-client.js';

const room = { stream_name: 'chat', group_id: 'room-1' };
const ITEMS = 50;
const BURST = 500;

test('a page of /live that reads nothing while 5,000 changes come delays nobody, skips what it missed, and then has the newest of each item', async () => {
  const engine = await startTestEngine({ admin: {}, stream: { logMaxChanges: 2 * BURST } });
  const worker = await RawWorker.connect(engine.workerUrl);
  // More than what the kernel takes for a client that does not read.
  const text = 'x'.repeat(8_000);
  const live = `${engine.adminUrl.replace('http', 'ws')}/live`;
  const slow = await StreamSocket.open(live);
  slow.joinWithPositions('s1', 'chat', 'room-1');
  await slow.take('sync');
  const client = await StreamSocket.open(`${engine.streamUrl}/stream/chat/room-1?positions=1`);
  await client.take('sync');
  slow.socket.pause();
  let written = 0;
  const set = () => {
    const n = written++;
    return worker.result('stream::set', { ...room, item_id: `m${n % ITEMS}`, data: { n, text } });
  };
  while (written < 10 * BURST) {
    const before = written;
    await Promise.all(Array.from({ length: BURST }, set));
    // The client beside it gets each change.
    await client.inbox.take(({ offset }) => offset === written);
    expect(client.inbox.all.map(({ offset }) => offset).slice(-BURST)).toEqual(Array.from({ length: BURST }, (_, n) => before + n + 1));
    client.inbox.clear();
  }
  slow.socket.resume();
  const held = new Map<number, number>();
  while (![...held.values()].includes(written - 1)) {
    const { event } = await slow.inbox.take((each) => each.event !== undefined);
    const values = event.type === 'sync' ? (event.data as readonly { readonly n: number }[]) : [event.data as { readonly n: number }];
    for (const { n } of values) held.set(n % ITEMS, n);
  }
  expect([...held.values()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: ITEMS }, (_, n) => written - ITEMS + n));
  // The engine kept no queue for it.
  expect(slow.inbox.all.length).toBeLessThan(written);
});

test('a page of /live that answers no ping is dropped, and its place is free', async () => {
  const engine = await startTestEngine({ admin: {}, stream: { pingIntervalMs: 500, pongTimeoutMs: 500 } });
  const live = `${engine.adminUrl.replace('http', 'ws')}/live`;
  const dead = await StreamSocket.open(live);
  dead.joinWithPositions('s1', 'chat', 'room-1');
  await dead.take('sync');
  dead.socket.pause();
  while ((await askJson(engine.adminUrl, '/api/engine')).live_sessions !== 0);
});
