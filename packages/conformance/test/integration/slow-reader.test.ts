import { once } from 'node:events';
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { slowLink } from '@rivulet/testkit/links/slow-link';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';

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

const MIB = 1_048_576;

test('decision 21 F23 readers that stall in a large group: the data file stays small, and those that read on miss nothing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-slow-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const adapter = { kind: 'lmdb', path: directory, durability: 'commit', saveIntervalMs: 5_000 } as const;
  const { engine, workerUrl, streamUrl } = await startTestEngine({ stream: { adapter } });
  const worker = await RawWorker.connect(workerUrl);
  const text = 'x'.repeat(200_000);
  const set = (n: number) => worker.result('stream::set', { ...room, item_id: `m${n % 90}`, data: { n, text } });
  await Promise.all(Array.from({ length: 90 }, (_, n) => set(n)));
  const live = statSync(join(directory, 'data.mdb')).size;
  // Each client reads only what fits into the kernel. Half of the clients are position-aware.
  const stalled = await Promise.all(
    Array.from({ length: 6 }, (_, n) => stalledReader(`${streamUrl}/stream/chat/room-1?positions=${n % 2}`)),
  );
  // More than twice the live bytes and 64 MiB.
  for (let n = 90; n < 630; n += 30) await Promise.all(Array.from({ length: 30 }, (_, k) => set(n + k)));
  expect(statSync(join(directory, 'data.mdb')).size).toBeLessThan(2 * live + 64 * MIB);
  expect(engine.figures().spoolBytes).toBeGreaterThan(15 * MIB);
  const [knows, plain] = [stalled[1], stalled[0]] as [StreamSocket, StreamSocket];
  for (const reader of [knows, plain]) reader.socket.resume();
  for (const reader of [knows, plain]) {
    const held = new Map<number, number>();
    let offset = 0;
    // The newest value of each item, from the state and the changes after it.
    while (![...held.values()].includes(629)) {
      const frame = await reader.inbox.take((each) => each.event !== undefined);
      const { event } = frame;
      if (event.type === 'sync') for (const value of event.data as readonly { readonly n: number }[]) held.set(value.n % 90, value.n);
      else held.set((event.data as { readonly n: number }).n % 90, (event.data as { readonly n: number }).n);
      expect(frame.offset).toBeGreaterThanOrEqual(offset);
      offset = frame.offset ?? 0;
    }
    expect([...held.values()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, n) => 540 + n));
  }
});

async function stalledReader(url: string): Promise<StreamSocket> {
  const reader = await StreamSocket.open(url);
  reader.socket.pause();
  return reader;
}

async function seen(reader: StreamSocket, frames: number): Promise<void> {
  while (reader.inbox.all.length < frames) await once(reader.socket, 'message');
}
