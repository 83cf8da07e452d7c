import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { AdminListener } from '../../src/admin/admin-listener.js';
import type { LiveStreams } from '../../src/admin/live-upgrades.js';
import { EventCounters } from '../../src/logging/event-counters.js';
import { silentLogger } from '../../src/logging/logger.js';
import { systemClock } from '../../src/structures/clock.js';
import { DescriptorReserve } from '../../src/transport/admission/descriptor-reserve.js';

/** Opens an admin listener over these sessions. Returns the URL of its `/live`. */
async function openListener(live: LiveStreams | undefined): Promise<string> {
  const listener = new AdminListener({
    config: { port: 0, host: '127.0.0.1', token: undefined, viewerToken: undefined, allowedHosts: [], metricsOpen: false },
    find: () => ({ kind: 'unknown' }),
    live,
    clock: systemClock,
    logger: silentLogger,
    counters: new EventCounters(),
    descriptors: DescriptorReserve.ofProcess(),
  });
  const { port } = await listener.listen();
  onTestFinished(() => listener.close());
  return `ws://127.0.0.1:${port}/live`;
}

/** Resolves with the refusal of an upgrade. */
async function refusal(url: string, options: ClientOptions = {}): Promise<string> {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  const [body] = await once(response, 'data');
  return `${response.statusCode} ${JSON.parse(body).error.code}`;
}

const sessions = (stopped: boolean): LiveStreams => ({
  stopped,
  pings: { pingIntervalMs: 1_000, pongTimeoutMs: 1_000 },
  readTarget: () => ({ kind: 'open' }),
  open: () => ({ onText() {}, onBinary() {}, onDrain() {}, onClose() {} }),
});

test('an engine without streams has no live sessions', async () => {
  expect(await refusal(await openListener(undefined))).toBe('404 NOT_FOUND');
});

test('an engine that stops opens no live session', async () => {
  expect(await refusal(await openListener(sessions(true)))).toBe('503 ENGINE_STOPPING');
});

test('a session that is being closed holds its place until its connection has ended', async () => {
  const url = await openListener(sessions(false));
  const sockets = Array.from({ length: 16 }, () => new WebSocket(url));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  expect(await refusal(url)).toBe('503 OVERLOADED');
  const [first] = sockets;
  first?.terminate();
  for (;;) {
    const next = new WebSocket(url);
    next.on('error', () => {});
    const opened = await Promise.race([once(next, 'open').then(() => true), once(next, 'unexpected-response').then(() => false)]);
    if (opened) return;
  }
});
