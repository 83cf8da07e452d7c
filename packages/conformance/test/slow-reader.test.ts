import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startTestEngine } from './harness/engine.js';
import { RawWorker } from './harness/raw-worker.js';
import { slowLink } from './harness/slow-link.js';
import { StreamSocket } from './harness/stream-socket.js';

const room = { stream_name: 'chat', group_id: 'room-1' };
const eager = { pingIntervalMs: 1_000, pongTimeoutMs: 1_000 };

test('ST-20 a reader of 20 kB/s is not taken for dead while a burst of 200 kB lies in the send queue of the kernel', async () => {
  const { engine, workerUrl, streamUrl, log } = await startTestEngine({ stream: eager });
  const worker = await RawWorker.connect(workerUrl);
  const reader = await StreamSocket.open(`${await slowLink(streamUrl, 20_000)}/stream/chat/room-1`);
  await reader.take('sync');
  const lost = reader.closed.then((code) => Promise.reject(new Error(`the reader was closed with ${code}`)));
  const text = 'x'.repeat(20_000);
  const set = (n: number) => worker.result('stream::set', { ...room, item_id: `m${n}`, data: { id: `m${n}`, text } });
  await Promise.all(Array.from({ length: 10 }, (_, n) => set(n)));
  await worker.settled();
  expect(engine.figures().largestSessionBytes).toBe(0);
  await Promise.race([lost, seen(reader, 11)]);
  expect(reader.inbox.all.slice(1).map((frame) => frame.id)).toEqual(Array.from({ length: 10 }, (_, n) => `m${n}`));
  await set(10);
  await Promise.race([lost, seen(reader, 12)]);
  expect(log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
});

test('F21 a peer that reads nothing and answers nothing is dropped, though its connection stands', async () => {
  const { engine, workerUrl, streamUrl } = await startTestEngine({ stream: eager });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::left', () => undefined);
  await worker.bind('stream:leave', 'app::left', {});
  const dead = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  await dead.take('sync');
  dead.socket.pause();
  await worker.result('stream::set', { ...room, item_id: 'm1', data: { id: 'm1' } });
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::left');
  expect(engine.figures().sessions).toBe(0);
});

async function seen(reader: StreamSocket, frames: number): Promise<void> {
  while (reader.inbox.all.length < frames) await once(reader.socket, 'message');
}
