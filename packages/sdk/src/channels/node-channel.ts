import { Readable, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { CHANNEL_FRAME_BYTES, channelUrl } from '../api/channel-ref.js';
import { sdkError } from '../api/errors.js';
import type { StreamChannelRef } from '../api/types.js';
import { CHANNEL_LIVENESS, type ChannelLiveness } from './channel-liveness.js';
import { openChannelSocket } from './node-channel-socket.js';
import { WaitingTexts } from './waiting-texts.js';

/** The unsent bytes of the socket of a writer above which its stream waits. */
const UNSENT_BYTES = 1_048_576;
/** The close frame waits behind all data that the reader has not read, and a reader may rest for any time. So this is the longest timer. */
const CLOSE_TIMEOUT_MS = 2_147_483_647;
const NORMAL_CLOSES: ReadonlySet<number> = new Set([1000, 1005]);

/** The writing end of a channel. Its socket opens with the first write. */
export class ChannelWriter {
  /** The stream of bytes, sent in frames of at most 64 KiB. A write ends when the socket has room for more. Fails with `CHANNEL_LOST`. */
  readonly stream: Writable;
  readonly #url: string;
  readonly #ref: StreamChannelRef;
  readonly #liveness: ChannelLiveness;
  readonly #texts = new WaitingTexts();
  #socket: WebSocket | undefined;
  #opened: Promise<WebSocket> | undefined;
  /** The last send. Sends run one after another, so that text and bytes keep their order. */
  #last: Promise<void> = Promise.resolve();
  #sent = 0;
  /** The number of messages sent before the last ping, and before the last ping that was answered. */
  #pinged = 0;
  #acknowledged = 0;

  /** `liveness`: by default a ping every 20 s, and death after 60 s of silence. Time in which the channel is full does not count. */
  constructor(engineUrl: string, ref: StreamChannelRef, liveness: ChannelLiveness = CHANNEL_LIVENESS) {
    this.#url = channelUrl(engineUrl, ref);
    this.#ref = ref;
    this.#liveness = liveness;
    this.stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#then(() => this.#sendBytes(chunk)).then(() => done(), done);
      },
      final: (done) => {
        this.#then(() => this.#finish('stream_complete')).then(() => done(), done);
      },
      destroy: (error, done) => {
        // A reader that already waits notices the end only by a socket that opens and closes.
        if (this.#socket === undefined) this.#open().then((socket) => socket.terminate(), ignored);
        else this.#socket.terminate();
        done(error);
      },
    });
    // A writer gets the loss from its write. Without this listener, a loss without a write would end the process.
    this.stream.on('error', () => {});
  }

  /** Sends one text message, in order with the bytes. Throws `QUEUE_FULL` if 1,024 messages, or 16 Mi code units, wait. */
  sendMessage(message: string): void {
    const sent = this.#texts.add(message);
    this.#then(() => this.#send(message))
      .catch((error: Error) => this.stream.destroy(error))
      .finally(sent);
  }

  /** Ends the channel after all writes. */
  close(): void {
    if (!this.stream.writableEnded) this.stream.end();
  }

  /** Returns the reference. So an end can be part of a payload. */
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
    this.#sent++;
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

  /** Handles a pong. The engine also sends pongs without a ping; they have no mark. */
  #answered(mark: string): void {
    if (mark === String(this.#pinged)) this.#acknowledged = this.#pinged;
  }

  #open(): Promise<WebSocket> {
    this.#opened ??= new Promise((resolve, reject) => {
      let why = '';
      const socket = openChannelSocket({
        url: this.#url,
        liveness: this.#liveness,
        closeTimeoutMs: CLOSE_TIMEOUT_MS,
        // The engine does not read while the channel is full. Only unanswered messages can have filled it. Then TCP detects a dead engine.
        resting: () => this.#acknowledged < this.#sent,
        mark: () => String((this.#pinged = this.#sent)),
        onSilent: (reason) => {
          why = reason;
        },
      });
      this.#socket = socket;
      socket.on('open', () => resolve(socket));
      socket.on('pong', (mark) => this.#answered(mark.toString()));
      socket.on('error', (error) => reject(sdkError('CHANNEL_LOST', error.message)));
      socket.on('close', (code, reason) => {
        const lost = sdkError('CHANNEL_LOST', why || `the channel closed with ${code} ${reason.toString()}`);
        reject(lost);
        if (!this.stream.writableEnded) this.stream.destroy(lost);
      });
    });
    return this.#opened;
  }
}

/** The reading end of a channel. Its socket opens when its stream is first read, or with the first `onMessage`. */
export class ChannelReader {
  /** The stream of bytes, with back-pressure to the writer. Fails with `CHANNEL_LOST` if the connection of the writer was lost. */
  readonly stream: Readable;
  readonly #url: string;
  readonly #ref: StreamChannelRef;
  readonly #liveness: ChannelLiveness;
  readonly #callbacks: ((message: string) => void)[] = [];
  #socket: WebSocket | undefined;
  #closing = false;

  /** `liveness`: by default a ping every 20 s, and death after 60 s of silence. Time in which nobody reads does not count. */
  constructor(engineUrl: string, ref: StreamChannelRef, liveness: ChannelLiveness = CHANNEL_LIVENESS) {
    this.#url = channelUrl(engineUrl, ref);
    this.#ref = ref;
    this.#liveness = liveness;
    this.stream = new Readable({
      read: () => {
        this.#connect();
        if (!this.#closing) this.#socket?.resume();
      },
      destroy: (error, done) => {
        this.#socket?.terminate();
        done(error);
      },
    });
    this.stream.on('error', () => {});
  }

  /** Calls `callback` for each later text message. Text that comes without a callback is dropped. */
  onMessage(callback: (message: string) => void): void {
    this.#callbacks.push(callback);
    this.#connect();
  }

  /** Resolves with all bytes up to the end of the channel. */
  async readAll(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  /** Ends the channel. Unread bytes are dropped. */
  close(): void {
    this.#closing = true;
    if (this.#socket === undefined) {
      this.stream.destroy();
      return;
    }
    // The close frame of the engine comes after the unread bytes, so they must be read.
    this.#socket.resume();
    this.#socket.close(1000, 'channel_close');
  }

  toJSON(): StreamChannelRef {
    return this.#ref;
  }

  /** Calls the callback. If it throws, only this channel ends. */
  #notify(text: string): void {
    try {
      for (const callback of this.#callbacks) callback(text);
    } catch (error) {
      this.stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #connect(): void {
    if (this.#socket !== undefined) return;
    let why = '';
    const socket = openChannelSocket({
      url: this.#url,
      liveness: this.#liveness,
      resting: ({ isPaused }) => isPaused,
      onSilent: (reason) => {
        why = reason;
      },
    });
    this.#socket = socket;
    socket.on('message', (data, binary) => {
      if (this.#closing) return;
      if (binary) {
        if (!this.stream.push(data as Buffer)) socket.pause();
        return;
      }
      this.#notify((data as Buffer).toString());
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

/** Ignores an error. The user of the stream gets it. */
function ignored(): void {}
