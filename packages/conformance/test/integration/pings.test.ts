import { once } from 'node:events';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const ping = (payload: string) => frame({ opcode: OPCODE.ping, payload });

test('WP-19 pings that arrive in one bunch are all answered, in order, on both ports', async () => {
  const { workerUrl, streamUrl } = await startTestEngine();
  const payloads = Array.from({ length: 1_000 }, (_, n) => String(n));
  for (const url of [workerUrl, streamUrl]) {
    const raw = await RawSocket.upgrade(url);
    raw.write(Buffer.concat(payloads.map(ping)));
    await raw.pongs.take((pong) => pong === '999', 'the last pong');
    expect(raw.pongs.all).toEqual(payloads);
  }
});

test('a peer that floods with pings and reads nothing makes nothing grow; once it reads, the latest ping is answered', async () => {
  // With its rates the engine would not read this flood for minutes.
  const { engine, workerUrl, streamUrl } = await startTestEngine({ stream: { maxFramesPerSecond: 0, maxBytesPerSecond: 0 } });
  const worker = await RawWorker.connect(workerUrl);
  const flooder = await RawSocket.upgrade(streamUrl);
  flooder.socket.pause();
  const batch = Buffer.concat(Array.from({ length: 1_000 }, () => ping('x'.repeat(125))));
  for (let sent = 0; sent < 20_000_000; sent += batch.length) {
    if (!flooder.socket.write(batch)) await once(flooder.socket, 'drain');
  }
  flooder.write(ping('the latest'));
  await worker.settled();
  const owned = engine.figures().largestSessionBytes;
  expect(owned).toBeGreaterThan(0);
  expect(owned).toBeLessThan(256 * 1_024);
  flooder.socket.resume();
  await flooder.pongs.take((pong) => pong === 'the latest', 'the pong of the latest ping');
});
