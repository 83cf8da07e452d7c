import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type * as redisClient from '../../src/store/redis/connection/redis-client.js';
import { ServerConnection } from '../../src/store/redis/connection/server-connection.js';

/** How long a server may be lost before `/ready` says so. */
const BOUND_MS = 5_000;

/** A Redis as the connection sees it. The test decides what the server does. */
const server = vi.hoisted(() => ({ answers: true, delivers: true, listener: undefined as (() => void) | undefined }));

vi.mock('../../src/store/redis/connection/redis-client.js', async (original) => ({
  ...(await original<typeof redisClient>()),
  openClient: () => Promise.resolve(new FakeClient()),
  destroy: () => {},
  sendBytes: () => {
    if (!server.answers) return new Promise(() => {});
    if (server.delivers) queueMicrotask(() => server.listener?.());
    return Promise.resolve(1);
  },
}));
vi.mock('../../src/store/redis/connection/server-info.js', () => ({ readServerFacts: () => Promise.resolve({}) }));

class FakeClient extends EventEmitter {
  readonly isReady = true;

  subscribe(_channel: string, listener: () => void): Promise<void> {
    server.listener = listener;
    return Promise.resolve();
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
  server.answers = true;
  server.delivers = true;
});

afterEach(() => {
  vi.useRealTimers();
});

/** Opens a connection with the time-outs of the defaults. Returns when it was lost, in milliseconds of the fake clock. */
async function open() {
  const lost: number[] = [];
  const connection = await ServerConnection.open({
    url: 'redis://127.0.0.1',
    clustered: false,
    alone: true,
    connectTimeoutMs: 5_000,
    commandTimeoutMs: 2_000,
    scripts: [],
    canary: 'canary',
    onLost: () => lost.push(performance.now()),
    onMoved: () => {},
  });
  return { connection, lost };
}

it('a Redis that answers and delivers its canary is never lost', async () => {
  const { connection, lost } = await open();
  await vi.advanceTimersByTimeAsync(600_000);
  expect([lost, connection.over]).toEqual([[], false]);
  connection.close('end');
});

// The server stops at each tenth of the pause between two canaries.
const offsets = Array.from({ length: 10 }, (_, tenth) => tenth * 100);

it.each(offsets)('a Redis that says nothing any more is lost within 5 s (%i ms after a canary)', async (offset) => {
  const { lost } = await open();
  await vi.advanceTimersByTimeAsync(10_000 + offset);
  server.answers = false;
  const silentAt = performance.now();
  await vi.advanceTimersByTimeAsync(BOUND_MS);
  expect(lost).toHaveLength(1);
  expect((lost[0] ?? 0) - silentAt).toBeLessThanOrEqual(BOUND_MS);
});

it.each(offsets)('a Redis that answers and delivers no messages is lost within 5 s (%i ms after a canary)', async (offset) => {
  const { lost } = await open();
  await vi.advanceTimersByTimeAsync(10_000 + offset);
  server.delivers = false;
  await vi.advanceTimersByTimeAsync(BOUND_MS);
  expect(lost).toHaveLength(1);
});
