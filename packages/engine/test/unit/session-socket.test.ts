import { expect, it } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { FrameEncoder } from '../../src/stream/frames/frame-encoder.js';
import { SessionSocket } from '../../src/stream/session/session-socket.js';
import { systemClock } from '../../src/structures/clock.js';
import type { Connection } from '../../src/transport/connection.js';
import { settled } from '../hub-world.js';

const WATERMARK = 100;

/** Returns a socket over a connection that keeps what is written. */
function open(): {
  readonly socket: SessionSocket;
  readonly connection: { buffered: number };
  readonly written: Buffer[];
  readonly closes: string[];
} {
  const written: Buffer[] = [];
  const closes: string[] = [];
  const connection = {
    buffered: 0,
    remoteAddress: '127.0.0.1',
    write: (frames: Buffer) => void written.push(frames),
    close: (because: string) => void closes.push(because),
  };
  const socket = new SessionSocket(connection as unknown as Connection, {
    frames: new FrameEncoder(systemClock, false),
    config: { maxBufferedBytes: WATERMARK, maxSubscriptionsPerConnection: 2 },
    logger: silentLogger,
  });
  return { socket, connection, written, closes };
}

const expiring = { type: 'expiring', data: { expiresAtMs: 1 } } as const;

it('a socket is ready below its watermark while nobody locks it', () => {
  const { socket, connection } = open();
  expect([socket.ready, socket.tryLock(), socket.ready, socket.tryLock(), socket.hasRoom]).toEqual([true, true, false, false, true]);
  socket.unlock();
  connection.buffered = WATERMARK + 1;
  expect([socket.ready, socket.tryLock(), socket.hasRoom]).toEqual([false, false, false]);
});

it('control frames are for position-aware clients, wait for the socket, and are dropped beyond a bound', async () => {
  const { socket, connection, written } = open();
  socket.sendControl(expiring);
  await settled();
  expect(written).toEqual([]);
  socket.positions = true;
  connection.buffered = WATERMARK + 1;
  for (let n = 0; n < 3; n++) socket.sendControl(expiring);
  await settled();
  expect(written).toEqual([]);
  connection.buffered = 0;
  socket.wake();
  await settled();
  expect(written).toHaveLength(2);
});

it('a frame between groups waits for the lock, and is dropped when the session has ended', async () => {
  const { socket, written } = open();
  expect(socket.tryLock()).toBe(true);
  const between = socket.writeBetween(Buffer.from('a'));
  const late = socket.writeBetween(Buffer.from('b'));
  await settled();
  expect(written).toEqual([]);
  socket.unlock();
  await Promise.all([between, late]);
  socket.open = false;
  await socket.writeBetween(Buffer.from('c'));
  expect(written.map(String)).toEqual(['a', 'b']);
});

it('a task that fails closes its connection', async () => {
  const { socket, closes } = open();
  socket.inBackground(Promise.reject(new Error('broken')), 'task');
  await settled();
  expect(closes).toEqual(['internal']);
});
