import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { AdminListener } from '../../src/admin/admin-listener.js';
import { exportRoutes } from '../../src/admin/api/export-route.js';
import { AdminRoutes } from '../../src/admin/routes.js';
import { adminApi } from '../../src/cli/admin/admin-api.js';
import { EventCounters } from '../../src/logging/event-counters.js';
import { silentLogger } from '../../src/logging/logger.js';
import type { EngineParts } from '../../src/metrics/engine-parts.js';
import { systemClock } from '../../src/structures/clock.js';
import { DescriptorReserve } from '../../src/transport/admission/descriptor-reserve.js';

const PATH = '/api/stores/stream/export';
const GROUPS = 40;
/** A connection takes a few of these, until its reader has to read. */
const data = JSON.stringify('x'.repeat(1_000_000));
const chunks = () => [[{ item: 'i', data, created: 1, changed: 1, expiry: undefined }]];

afterEach(() => vi.useRealTimers());

/** Opens an admin listener that exports a store with `GROUPS` groups. `ended` resolves when the export that runs has ended. */
async function openListener(stallMs?: number) {
  const logged: unknown[] = [];
  const logger = { ...silentLogger, warn: (event: string, fields?: object) => void logged.push({ event, ...fields }) };
  let resolveEnded = () => {};
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  const dump = () => ({
    store: { epoch: 'e', removedOffset: 0, removedTimestamp: 0 },
    groups: async function* () {
      for (let n = 0; n < GROUPS; n++) yield await Promise.resolve({ stream: 's', group: `g${n}`, offset: 1, timestamp: 1, chunks });
    },
    close: async () => {
      await Promise.resolve();
      resolveEnded();
    },
  });
  const parts = { stage: () => 'running', stores: { stream: { dump }, state: undefined }, logger } as unknown as EngineParts;
  const counters = new EventCounters();
  const listener = new AdminListener({
    config: { port: 0, host: '127.0.0.1', token: undefined, viewerToken: undefined, allowedHosts: [], metricsOpen: false },
    find: new AdminRoutes(exportRoutes(parts)).find,
    clock: systemClock,
    logger,
    counters,
    descriptors: new DescriptorReserve(undefined),
    ...(stallMs === undefined ? {} : { stallMs }),
  });
  const { port } = await listener.listen();
  onTestFinished(() => listener.close());
  return { url: `http://127.0.0.1:${port}${PATH}`, port, logged, counters, ended };
}

/** Begins an export, reads its first bytes, and then nothing. */
async function beginExport(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(`GET ${PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.pause();
  return socket;
}

test('one export runs at a time, and a reader that leaves makes room for the next', async () => {
  const { url, port, logged, ended } = await openListener();
  const slow = await beginExport(port);
  const refused = await fetch(url);
  expect({ status: refused.status, text: await refused.text() }).toEqual({ status: 503, text: expect.stringContaining('OVERLOADED') });
  slow.destroy();
  await ended;
  const next = await fetch(url);
  expect(next.status).toBe(200);
  expect((await next.text()).trimEnd().split('\n').at(-1)).toBe(`{"end":{"groups":${GROUPS},"items":${GROUPS}}}`);
  expect(logged).toEqual([]);
});

test('a reader that takes nothing of an export is dropped, counted and logged, and makes room for the next', async () => {
  const { url, port, logged, counters, ended } = await openListener(50);
  await beginExport(port);
  await ended;
  expect(logged).toEqual([{ event: 'admin_reader_stalled', address: '127.0.0.1', times: 1, consequence: expect.any(String) }]);
  expect(counters.read()).toEqual({ admin_reader_stalled: 1 });
  const next = await fetch(url);
  expect(next.status).toBe(200);
  await next.body?.cancel();
});

/** Returns the pieces of an answer of which the first has come. `send` sends another one, or the end. */
async function beginPieces(timeout: string) {
  let resolveBegun = (_response: ServerResponse) => {};
  const begun = new Promise<ServerResponse>((resolve) => {
    resolveBegun = resolve;
  });
  const server = createServer((_request, response) => {
    response.write('first');
    resolveBegun(response);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const values: Record<string, string> = { timeout, 'admin-url': `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const input = { words: [], flag: () => false, value: (name: string) => values[name], values: () => [] };
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const pieces = adminApi(input, { env: {} }).pieces('stores/stream/export')[Symbol.asyncIterator]();
  expect(await pieces.next()).toEqual({ done: false, value: 'first' });
  return { pieces, response: await begun };
}

test('the time in which a command handles a piece is no wait for the engine', async () => {
  const { pieces, response } = await beginPieces('30s');
  vi.advanceTimersByTime(120_000);
  response.end('second');
  expect(await pieces.next()).toEqual({ done: false, value: 'second' });
  expect(await pieces.next()).toEqual({ done: true, value: undefined });
});

test('an engine that sends no further piece in time ends the command', async () => {
  const { pieces } = await beginPieces('30s');
  const next = pieces.next();
  vi.advanceTimersByTime(30_000);
  await expect(next).rejects.toMatchObject({ code: 'TIMEOUT' });
});
