import { Readable, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { CHANNEL_FRAME_BYTES, channelUrl } from './channel-ref.js';
import { sdkError } from './errors.js';
import type { StreamChannelRef } from './types.js';

/** Unsent bytes of a writer's socket beyond which its stream waits. */
const UNSENT_BYTES = 1_048_576;
/** Text messages that wait for their socket to open. */
const WAITING_MESSAGES = 1_024;
const RECEIVE_BYTES = 16_777_216;
const NORMAL_CLOSES: ReadonlySet<number> = new Set([1000, 1005]);

/** The writing end of a channel. Its socket opens with the first write. */
export class ChannelWriter {
  /** Bytes, sent in frames of at most 64 KiB; a write is done when the socket has room for more. Fails with `CHANNEL_LOST`. */
  readonly stream: Writable;
  readonly #url: string;
  readonly #ref: StreamChannelRef;
  #socket: WebSocket | undefined;
  #opened: Promise<WebSocket> | undefined;
  /** Sends one after another, so that text and bytes keep their order. */
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(engineUrl: string, ref: StreamChannelRef) {
    this.#url = channelUrl(engineUrl, ref);
    this.#ref = ref;
    this.stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => void this.#then(() => this.#sendBytes(chunk)).then(() => done(), done),
      final: (done) => void this.#then(() => this.#finish('stream_complete')).then(() => done(), done),
      destroy: (error, done) => {
        // A reader that waits already hears of the end only by a socket that goes.
        if (this.#socket === undefined) this.#open().then((socket) => socket.terminate(), ignored);
        else this.#socket.terminate();
        done(error);
      },
    });
    // A loss is told to whoever writes; that nobody listens must not end the process.
    this.stream.on('error', () => {});
  }

  /** Sends one text message, in order with the bytes. Throws `QUEUE_FULL` when 1,024 of them wait. */
  sendMessage(message: string): void {
    if (this.#waiting >= WAITING_MESSAGES) throw sdkError('QUEUE_FULL', 'too many messages wait for the channel; wait for its reader');
    this.#waiting++;
    this.#then(() => this.#send(message))
      .catch((error: Error) => this.stream.destroy(error))
      .finally(() => {
        this.#waiting--;
      });
  }

  /** Ends the channel after what was written. */
  close(): void {
    if (!this.stream.writableEnded) this.stream.end();
  }

  /** The reference, so that an end can be handed on inside a payload. */
  toJSON(): StreamChannelRef {
    return this.#ref;
  }

  #then(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #sendBytes(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += CHANNEL_FRAME_BYTES) await this.#send(chunk.subarray(at, at + CHANNEL_FRAME_BYTES));
  }

  async #send(data: string | Buffer): Promise<void> {
    const socket = await this.#open();
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error | null) => (error ? reject(sdkError('CHANNEL_LOST', error.message)) : resolve());
      if (socket.bufferedAmount > UNSENT_BYTES) socket.send(data, settle);
      else {
        socket.send(data, (error) => error && this.stream.destroy(sdkError('CHANNEL_LOST', error.message)));
        resolve();
      }
    });
  }

  async #finish(reason: string): Promise<void> {
    const socket = await this.#open();
    await new Promise<void>((resolve, reject) => {
      const lost = () => reject(sdkError('CHANNEL_LOST', 'the channel closed before everything was delivered'));
      socket.once('close', (code) => (NORMAL_CLOSES.has(code) ? resolve() : lost()));
      if (socket.readyState === WebSocket.CLOSED) lost();
      else socket.close(1000, reason);
    });
  }

  #open(): Promise<WebSocket> {
    this.#opened ??= new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#url, { perMessageDeflate: false, handshakeTimeout: 10_000 });
      this.#socket = socket;
      socket.on('open', () => resolve(socket));
      socket.on('error', (error) => reject(sdkError('CHANNEL_LOST', error.message)));
      socket.on('close', (code, reason) => {
        const lost = sdkError('CHANNEL_LOST', `the channel closed with ${code} ${reason.toString()}`);
        reject(lost);
        if (!this.stream.writableEnded) this.stream.destroy(lost);
      });
    });
    return this.#opened;
  }
}

/** The reading end of a channel. Its socket opens when its stream is first read, or with the first `onMessage`. */
export class ChannelReader {
  /** Bytes, with backpressure to the writer. Fails with `CHANNEL_LOST` if the writer was cut off. */
  readonly stream: Readable;
  readonly #url: string;
  readonly #ref: StreamChannelRef;
  readonly #callbacks: ((message: string) => void)[] = [];
  #socket: WebSocket | undefined;
  #closing = false;

  constructor(engineUrl: string, ref: StreamChannelRef) {
    this.#url = channelUrl(engineUrl, ref);
    this.#ref = ref;
    this.stream = new Readable({
      read: () => {
        this.#connect();
        this.#socket?.resume();
      },
      destroy: (error, done) => {
        this.#socket?.terminate();
        done(error);
      },
    });
    this.stream.on('error', () => {});
  }

  /** Calls back for each text message from now on. Text that comes while nobody asked for it is dropped. */
  onMessage(callback: (message: string) => void): void {
    this.#callbacks.push(callback);
    this.#connect();
  }

  /** All bytes to the end of the channel. */
  async readAll(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  /** Reads no more: what was read so far was all. */
  close(): void {
    this.#closing = true;
    if (this.#socket === undefined) this.stream.destroy();
    else this.#socket.close(1000, 'channel_close');
  }

  toJSON(): StreamChannelRef {
    return this.#ref;
  }

  /** A callback that throws at what a peer wrote ends this channel, and nothing else. */
  #tell(text: string): void {
    try {
      for (const callback of this.#callbacks) callback(text);
    } catch (error) {
      this.stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #connect(): void {
    if (this.#socket !== undefined) return;
    const socket = new WebSocket(this.#url, { perMessageDeflate: false, handshakeTimeout: 10_000, maxPayload: RECEIVE_BYTES });
    this.#socket = socket;
    let why = '';
    socket.on('message', (data, binary) => {
      if (binary) {
        if (!this.stream.push(data as Buffer)) socket.pause();
        return;
      }
      this.#tell((data as Buffer).toString());
    });
    socket.on('error', (error) => {
      why = error.message;
    });
    socket.on('close', (code, reason) => {
      if (this.#closing || NORMAL_CLOSES.has(code)) this.stream.push(null);
      else this.stream.destroy(sdkError('CHANNEL_LOST', why || `the channel closed with ${code} ${reason.toString()}`));
    });
  }
}

/** The end is told to whoever uses the stream. */
function ignored(): void {}
