import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { encodePing, encodePong } from './websocket-frame.js';

/** Unsent bytes beyond which the engine answers only the latest ping, when they have been sent. RFC 6455 §5.5.3 allows this. */
const PONG_BACKLOG_BYTES = 65_536;

/** The connection whose pings are answered. */
export interface PingedConnection {
  readonly open: boolean;
  /** Bytes that wait in memory. */
  readonly buffered: number;
  write(frames: Buffer): void;
}

/**
 * Answers the pings of one connection. Pongs leave in one write at the end of the tick. A write for each ping would hold up the event loop.
 */
export class Pongs {
  readonly #connection: PingedConnection;
  #frames: Buffer[] = [];
  #bytes = 0;
  /** Payload of the latest ping, if its pong waits until unsent bytes have left. */
  #owed: Buffer | undefined;

  constructor(connection: PingedConnection) {
    this.#connection = connection;
  }

  answer(data: Buffer): void {
    const full = this.#connection.buffered + this.#bytes > PONG_BACKLOG_BYTES;
    this.#owed = full ? Buffer.from(data) : undefined;
    if (full || !this.#connection.open) return;
    if (this.#frames.length === 0) process.nextTick(flush, this);
    const frame = encodePong(data);
    this.#frames.push(frame);
    this.#bytes += frame.length;
  }

  /** Sends the collected pongs now. */
  flush(): void {
    if (this.#frames.length === 0) return;
    const frames = Buffer.concat(this.#frames, this.#bytes);
    this.#frames = [];
    this.#bytes = 0;
    this.#connection.write(frames);
  }

  /** Sends the pong that waits for unsent bytes. Call it when they have left. */
  drained(): void {
    const data = this.#owed;
    this.#owed = undefined;
    if (data !== undefined) this.#connection.write(encodePong(data));
  }
}

function flush(pongs: Pongs): void {
  pongs.flush();
}

/** A connection that reports pongs, as those of `ws` do. */
export interface PongSource {
  write(frames: Buffer): void;
  on(event: 'pong', listener: (data: Buffer) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  off(event: 'pong', listener: (data: Buffer) => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

/** Returns whether a connection reports its pongs. A sink does not. */
export function reportsPongs(connection: object): connection is PongSource {
  return connection instanceof EventEmitter && 'write' in connection;
}

/** Resolves when the peer has received everything that was written to it before, or when the connection has ended. */
export function roundTrip(connection: PongSource): Promise<void> {
  const payload = randomBytes(8);
  return new Promise((resolve) => {
    const end = () => {
      connection.off('pong', ponged);
      connection.off('close', end);
      resolve();
    };
    const ponged = (data: Buffer) => {
      if (data.equals(payload)) end();
    };
    connection.on('pong', ponged);
    connection.on('close', end);
    connection.write(encodePing(payload));
  });
}
