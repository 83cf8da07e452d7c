import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { EventConnection } from '../../src/stream/reading/events/event-connection.js';
import { EventEncoder } from '../../src/stream/reading/events/event-encoder.js';

/** A socket whose kernel takes what the test says. */
class FakeSocket extends Writable {
  readonly _handle = { bytesWritten: 0, writeQueueSize: 0 };
  keepAliveMs: number | undefined;
  #taken: (() => void)[] = [];

  setKeepAlive(_on: boolean, delayMs: number): void {
    this.keepAliveMs = delayMs;
  }

  /** The kernel takes some bytes of the first chunk; all of everything without a number. */
  take(bytes?: number): void {
    this._handle.writeQueueSize -= bytes ?? this._handle.writeQueueSize;
    if (bytes === undefined) for (const taken of this.#taken.splice(0)) taken();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this._handle.bytesWritten += chunk.length;
    this._handle.writeQueueSize += chunk.length;
    this.#taken.push(done);
  }
}

function start({ pingIntervalMs = 25_000, closeFirst = false } = {}) {
  const socket = new FakeSocket();
  const open = new Set<EventConnection>();
  const closed: unknown[] = [];
  const ended = (reason: string) => void closed.push(reason);
  const deps = { encoder: new EventEncoder(), open, ended, pingIntervalMs, stallBeats: 3 };
  const layout = { key: '', groups: [], isList: false };
  const connection = new EventConnection(socket as never, layout, { groups: [], open: undefined }, '127.0.0.1', deps);
  if (closeFirst) connection.close('expired');
  connection.own({ onClose: (code: number) => void closed.push(code), onDrain: () => {} } as never);
  return { socket, open, closed, connection };
}

test('a client that takes none of its bytes for three beats is dropped, and one that takes some of a chunk is not', () => {
  const { socket, open, closed, connection } = start();
  expect(connection.beat()).toBe(false);
  for (let beat = 0; beat < 20; beat++) {
    expect(connection.beat()).toBe(false);
    if (beat < 2) continue;
    if (beat === 2) socket.write(Buffer.alloc(100));
    socket.take(1);
  }
  expect([connection.beat(), connection.beat(), connection.beat(), closed]).toEqual([false, false, false, []]);
  expect([connection.beat(), closed, open.size, socket.destroyed]).toEqual([true, ['stalled', 1006], 0, true]);
  expect(connection.beat()).toBe(false);
});

test('a client that has taken everything begins again', () => {
  const { socket, closed, connection } = start();
  for (let beat = 0; beat < 20; beat++) {
    connection.beat();
    if (beat % 3 === 2) socket.take();
  }
  expect(closed).toEqual([]);
});

test('the kernel has time for its probes before the next comment', () => {
  expect([25_000, 60_000, 1_000].map((ms) => start({ pingIntervalMs: ms }).socket.keepAliveMs)).toEqual([12_000, 47_000, 1_000]);
});

test('a connection that was closed before its session was there is not among the open ones', () => {
  const { open, connection, closed } = start({ closeFirst: true });
  expect([open.size, closed]).toEqual([0, ['expired']]);
  expect(connection.beat()).toBe(false);
});
