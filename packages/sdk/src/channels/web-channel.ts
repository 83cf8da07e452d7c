import { CHANNEL_FRAME_BYTES, channelUrl } from '../api/channel-ref.js';
import { sdkError } from '../api/errors.js';
import type { StreamChannelRef } from '../api/types.js';
import { WaitingTexts } from './waiting-texts.js';

/** The unsent bytes of the socket of a writer above which a write waits. */
const UNSENT_BYTES = 1_048_576;
const UNSENT_CHECK_MS = 10;
/** The received bytes without a reader above which the channel fails. A browser can't pause its socket. */
const UNREAD_BYTES = 16_777_216;
/** The close code of a writer that aborts. It differs from the codes of a normal end. */
const ABORTED = 4000;

/** The writing end of a channel. Its socket opens with the first write. */
export class ChannelWriter {
  /** The stream of bytes, sent in frames of at most 64 KiB. Fails with `CHANNEL_LOST`. */
  readonly stream: WritableStream<Uint8Array>;
  readonly #url: string;
  readonly #ref: StreamChannelRef;
  #opened: Promise<WebSocket> | undefined;
  #closed: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  readonly #texts = new WaitingTexts();
  #aborted = false;

  constructor(engineUrl: string, ref: StreamChannelRef) {
    this.#url = channelUrl(engineUrl, ref);
    this.#ref = ref;
    this.stream = new WritableStream<Uint8Array>({
      start: ({ signal }) => {
        // The stream calls `abort` only after the current write, which may wait for the reader. The signal comes at once.
        signal.addEventListener('abort', () => {
          this.#aborted = true;
        });
      },
      write: (chunk) => this.write(chunk),
      close: () => this.close(),
      abort: () => this.#abort(),
    });
  }

  /** Writes bytes. Resolves when the socket has room for more. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#then(async (socket) => {
      for (let at = 0; at < bytes.length; at += CHANNEL_FRAME_BYTES) {
        while (socket.bufferedAmount > UNSENT_BYTES && socket.readyState === WebSocket.OPEN && !this.#aborted) await soon();
        this.#send(socket, bytes.slice(at, at + CHANNEL_FRAME_BYTES));
      }
    });
  }

  /** Sends one text message, in order with the bytes. Throws `QUEUE_FULL` if 1,024 messages, or 16 Mi code units, wait. */
  sendMessage(message: string): void {
    const sent = this.#texts.add(message);
    this.#then((socket) => this.#send(socket, message))
      .catch(() => undefined)
      .finally(sent);
  }

  /** Ends the channel after all writes. Rejects with `CHANNEL_LOST` if the channel was lost before. */
  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = this.#then((socket) => {
        if (socket.readyState !== WebSocket.OPEN) throw sdkError('CHANNEL_LOST', 'the channel is closed');
        socket.close(1000, 'stream_complete');
      });
      // A caller may ignore the promise. Its rejection must not stay unhandled.
      this.#closed.catch(() => undefined);
    }
    return this.#closed;
  }

  toJSON(): StreamChannelRef {
    return this.#ref;
  }

  /** Closes the socket so that the reader does not take it for the end of the data. */
  async #abort(): Promise<void> {
    (await this.#open()).close(ABORTED, 'aborted');
  }

  #send(socket: WebSocket, data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#aborted) throw sdkError('CHANNEL_LOST', 'the writer was aborted');
    if (socket.readyState !== WebSocket.OPEN) throw sdkError('CHANNEL_LOST', 'the channel is closed');
    socket.send(data);
  }

  #then(step: (socket: WebSocket) => void | Promise<void>): Promise<void> {
    const done = this.#last.then(async () => step(await this.#open()));
    this.#last = done.catch(() => undefined);
    return done;
  }

  #open(): Promise<WebSocket> {
    this.#opened ??= new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#url);
      socket.onopen = () => resolve(socket);
      socket.onclose = ({ code, reason }) => reject(sdkError('CHANNEL_LOST', `the channel closed with ${code} ${reason}`));
    });
    return this.#opened;
  }
}

/** The reading end of a channel. Its socket opens when it is first read, or with the first `onMessage`. */
export class ChannelReader implements AsyncIterable<Uint8Array> {
  /**
   * The stream of bytes. Fails with `CHANNEL_LOST` if the connection of the writer was lost, and with `QUEUE_FULL` if 16 MiB are unread.
   */
  readonly stream: ReadableStream<Uint8Array>;
  readonly #url: string;
  readonly #ref: StreamChannelRef;
  readonly #callbacks: ((message: string) => void)[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #socket: WebSocket | undefined;
  #over = false;

  constructor(engineUrl: string, ref: StreamChannelRef) {
    this.#url = channelUrl(engineUrl, ref);
    this.#ref = ref;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#connect(),
        cancel: () => this.close(),
      },
      // With 0 the stream requests no bytes before somebody reads.
      { highWaterMark: 0, size: (chunk) => chunk.byteLength },
    );
  }

  /** Calls `callback` for each later text message. Text that comes without a callback is dropped. */
  onMessage(callback: (message: string) => void): void {
    this.#callbacks.push(callback);
    this.#connect();
  }

  /** Iterates over the bytes. Leaving the loop closes the channel. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const reader = this.stream.getReader();
    let over = false;
    const read = async () => {
      over = true;
      const result = await reader.read();
      over = result.done;
      return result;
    };
    try {
      for (let next = await read(); !next.done; next = await read()) yield next.value;
    } finally {
      if (!over) await reader.cancel();
      reader.releaseLock();
    }
  }

  /** Resolves with all bytes up to the end of the channel. */
  async readAll(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this) chunks.push(chunk);
    const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  close(): void {
    this.#finish();
    this.#socket?.close(1000, 'channel_close');
  }

  toJSON(): StreamChannelRef {
    return this.#ref;
  }

  #connect(): void {
    if (this.#socket !== undefined || this.#over) return;
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#notify(data);
      else this.#push(new Uint8Array(data as ArrayBuffer), socket);
    };
    socket.onclose = ({ code, reason }) => {
      if (code === 1000 || code === 1005) this.#finish();
      else this.#finish(sdkError('CHANNEL_LOST', `the channel closed with ${code} ${reason}`));
    };
  }

  /** Calls the callback. If it throws, only this channel ends. */
  #notify(text: string): void {
    try {
      for (const callback of this.#callbacks) callback(text);
    } catch (error) {
      this.#finish(error instanceof Error ? error : new Error(String(error)));
      this.#socket?.close();
    }
  }

  #push(chunk: Uint8Array, socket: WebSocket): void {
    if (this.#over || this.#controller === undefined) return;
    this.#controller.enqueue(chunk);
    if (-(this.#controller.desiredSize ?? 0) <= UNREAD_BYTES) return;
    this.#finish(sdkError('QUEUE_FULL', `more than ${UNREAD_BYTES} bytes of the channel wait unread`));
    socket.close();
  }

  #finish(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    try {
      if (error === undefined) this.#controller?.close();
      else this.#controller?.error(error);
    } catch {
      // The reader has cancelled the stream, so it has ended.
    }
  }
}

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, UNSENT_CHECK_MS));
}
