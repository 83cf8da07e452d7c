import { Duplex } from 'node:stream';
import type { ConnectionOwner } from '@rivulet/engine/parts';
import type { SimConnection } from '../sim-connection.js';

/** Alters the bytes that the engine writes to one socket. */
export type MangleBytes = (bytes: Buffer) => Buffer;

/**
 * The engine's end of a simulated connection, as a socket of Node. The HTTP server of Node takes it, so requests are parsed and answers are
 * written by the code that a real listener runs.
 */
export class SimSocket extends Duplex implements ConnectionOwner {
  readonly #connection: SimConnection;
  readonly #mangle: MangleBytes;
  /** Continues the stream when the link has room for more. */
  #whenRoom: (() => void) | undefined;
  #given = 0;
  #idle: { readonly milliseconds: number; timer: NodeJS.Timeout } | undefined;

  constructor(connection: SimConnection, mangle: MangleBytes) {
    // Any byte that the link does not take counts, and a `drain` follows it. So a small `max_buffered_bytes` works.
    super({ writableHighWaterMark: 1 });
    this.#connection = connection;
    this.#mangle = mangle;
    connection.own(this);
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#touch();
    this.#given += bytes.length;
    this.#connection.write(this.#mangle(bytes));
    if (this.#connection.open && this.#connection.buffered > 0) this.#whenRoom = done;
    else done();
  }

  override _final(done: () => void): void {
    this.#connection.finish();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.setTimeout(0);
    this.#connection.destroy();
    done(error);
  }

  onText(text: string): void {
    this.#touch();
    if (!this.destroyed) this.push(Buffer.from(text));
  }

  onBinary(): void {}

  onDrain(): void {
    const done = this.#whenRoom;
    this.#whenRoom = undefined;
    done?.();
  }

  onClose(): void {
    this.destroy();
  }

  /** As `setTimeout` of a socket: emits `timeout` when nothing was read or written for this time. */
  setTimeout(milliseconds: number, callback?: () => void): this {
    if (callback !== undefined) this.once('timeout', callback);
    clearTimeout(this.#idle?.timer);
    this.#idle = undefined;
    if (milliseconds > 0 && Number.isFinite(milliseconds)) {
      this.#idle = { milliseconds, timer: setTimeout(() => this.emit('timeout'), milliseconds) };
    }
    return this;
  }

  /** The simulated link has no peer that leaves without a word for longer than the faults say. */
  setKeepAlive(): this {
    return this;
  }

  /** As the handle of a socket: the bytes that were given to the link, and those that the link has not taken. It always reads. */
  get _handle() {
    const writeQueueSize = this.#connection.buffered;
    return { bytesWritten: this.#given, writeQueueSize, reading: true, readStart: () => {}, readStop: () => {} };
  }

  #touch(): void {
    if (this.#idle !== undefined) this.setTimeout(this.#idle.milliseconds);
  }
}
