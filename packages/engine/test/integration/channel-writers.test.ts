import { LIMITS } from '@rivulet/protocol';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { Channels } from '../../src/core/channels/channels.js';
import { silentLogger } from '../../src/logging/logger.js';
import { Listener } from '../../src/transport/listener.js';

it('a writer that is held back and dies is found out, though nothing is read of it', async () => {
  let now = 0;
  const channels = new Channels({ now: () => now, monotonic: () => now });
  const listener = new Listener({
    name: 'worker',
    host: '127.0.0.1',
    port: 0,
    plain: { listener: 'worker', paths: ['/'], status: 426 },
    maxMessageBytes: 1_000,
    headersTimeoutMs: 5_000,
    pingIntervalMs: 60_000,
    pongTimeoutMs: 60_000,
    spareSlowReaders: true,
    route: (request) => channels.route(request) ?? { kind: 'refuse', status: 404 },
    logger: silentLogger,
    clock: { now: () => now, monotonic: () => now },
  });
  onTestFinished(async () => {
    await channels.close();
    await listener.close();
  });
  const { port } = await listener.listen();
  const channel = channels.create(1);
  const writer = new WebSocket(`ws://127.0.0.1:${port}/ws/channels/${channel.id}?key=${channel.keys.write}&dir=write`);
  await new Promise((resolve) => writer.once('open', resolve));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  // The writer fills the kernel's buffers too, so that its end waits behind those bytes.
  for (let n = 0; n < 400; n++) writer.send(Buffer.alloc(65_536));
  while (channel.size === 0) await turn();
  writer.terminate();
  await new Promise((resolve) => writer.once('close', resolve));
  now += LIMITS.channelIdleMs;
  while (channel.idleSince === undefined) {
    channels.sweep();
    await turn();
  }
  expect(channels.size).toBe(1);
  now += LIMITS.channelIdleMs;
  channels.sweep();
  expect([channels.size, channels.held]).toEqual([0, 0]);
});
