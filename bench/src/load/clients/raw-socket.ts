import { connect, type Socket } from 'node:net';

/** Handles the frames of one socket. */
export interface FrameReader {
  /** Whether the reader wants the payload of this data frame. `count` is called in both cases. */
  wantsPayload(length: number): boolean;
  /** Called for each complete data frame. The payload is present if the reader wanted it, and valid only during the call. */
  frame(payload: Buffer | undefined): void;
  /** Called when the handshake has ended, before the frames that arrived with it. */
  opened?(socket: RawSocket): void;
  /** Called when the connection has ended, or could not be made. */
  closed?(socket: RawSocket): void;
}

const NEWLINES = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);
/** All sockets read into this one buffer, because each read is handled before the next one starts. */
const SHARED = Buffer.allocUnsafeSlow(256 * 1_024);

/**
 * A WebSocket client that reads frame headers and skips unwanted payloads, so that one process can count millions of frames a second. It
 * masks with zero, which is a valid mask.
 */
export class RawSocket {
  frames = 0;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #opened: (() => void) | undefined;
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #handshake: Buffer | undefined = NOTHING;
  /** First bytes of a frame header whose rest comes with the next read. */
  #header: Buffer = NOTHING;
  #opcode = 0;
  /** Bytes of the current payload that have not arrived. */
  #left = 0;
  #wanted: Buffer[] | undefined;

  private constructor(url: URL, reader: FrameReader) {
    const onread = {
      buffer: SHARED,
      callback: (bytes: number) => {
        this.#receive(SHARED.subarray(0, bytes));
        if (this.#bytesPerSecond !== Number.POSITIVE_INFINITY) this.#rest(bytes);
        return true;
      },
    };
    this.#reader = reader;
    this.#socket = connect({ host: url.hostname, port: Number(url.port), onread });
    this.#socket.setNoDelay(true);
    // `open` rejects with the error. `closed` only needs to resolve.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => reader.closed?.(this));
    this.#socket.write(
      `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
  }

  /** Begins a connection and notifies the reader of its progress. */
  static connect(address: string, reader: FrameReader): RawSocket {
    return new RawSocket(new URL(address), reader);
  }

  /** Resolves when the handshake has ended. Rejects when it fails. */
  static open(address: string, reader: FrameReader): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const client = RawSocket.connect(address, reader);
      client.#opened = () => resolve(client);
      client.#socket.on('error', reject);
      client.#socket.on('close', () => reject(new Error(`${address} closed the connection`)));
    });
  }

  /** Bytes that were sent and are still buffered in this process. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  send(text: string): void {
    this.#write(0x81, Buffer.from(text));
  }

  /** Runs `sends`, and passes everything that it sends to the kernel in one write. */
  together(sends: () => void): void {
    this.#socket.cork();
    sends();
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  /** Limits reading to this many bytes per second on average. After each read the socket pauses for the matching time. */
  pace(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  close(): void {
    this.#socket.destroy();
  }

  #rest(bytes: number): void {
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), (bytes / this.#bytesPerSecond) * 1_000).unref();
  }

  #write(first: number, payload: Buffer): void {
    const { length } = payload;
    let header: Buffer;
    if (length < 126) header = Buffer.from([first, 0x80 | length, 0, 0, 0, 0]);
    else if (length < 65_536) header = Buffer.from([first, 0xfe, length >> 8, length & 0xff, 0, 0, 0, 0]);
    else throw new Error('the load sends small messages only');
    this.#socket.write(Buffer.concat([header, payload]));
  }

  #receive(data: Buffer): void {
    const rest = this.#handshake === undefined ? data : this.#readHandshake(data);
    if (rest !== undefined) this.#readFrames(rest);
  }

  #readHandshake(data: Buffer): Buffer | undefined {
    const all = Buffer.concat([this.#handshake ?? NOTHING, data]);
    const end = all.indexOf(NEWLINES);
    if (end < 0) {
      this.#handshake = all;
      return undefined;
    }
    const status = all.toString('latin1', 0, 12);
    if (status !== 'HTTP/1.1 101') {
      this.#socket.destroy(new Error(`the server answered ${status}`));
      return undefined;
    }
    this.#handshake = undefined;
    this.#reader.opened?.(this);
    this.#opened?.();
    return all.subarray(end + NEWLINES.length);
  }

  #readFrames(data: Buffer): void {
    let at = 0;
    while (at < data.length) {
      if (this.#left > 0) {
        const end = Math.min(data.length, at + this.#left);
        this.#wanted?.push(Buffer.from(data.subarray(at, end)));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#frameEnds(this.#wanted === undefined ? undefined : Buffer.concat(this.#wanted));
        continue;
      }
      if (this.#header.length > 0) {
        // Rare: a header comes in two reads. Join its parts and start from its first byte.
        const joined = Buffer.concat([this.#header, data.subarray(at)]);
        this.#header = NOTHING;
        this.#readFrames(joined);
        return;
      }
      const first = data[at] ?? 0;
      const short = (data[at + 1] ?? 0) & 0x7f;
      const size = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (data.length - at < size) {
        this.#header = Buffer.from(data.subarray(at));
        return;
      }
      const length = short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2));
      at += size;
      this.#opcode = first & 0x0f;
      const wanted = this.#opcode >= 8 || this.#reader.wantsPayload(length);
      if (data.length - at >= length) {
        this.#frameEnds(wanted ? data.subarray(at, at + length) : undefined);
        at += length;
      } else {
        this.#left = length;
        this.#wanted = wanted ? [] : undefined;
      }
    }
  }

  #frameEnds(payload: Buffer | undefined): void {
    this.#wanted = undefined;
    if (this.#opcode === 9) this.#write(0x8a, Buffer.from(payload ?? NOTHING));
    if (this.#opcode >= 8) return;
    this.frames += 1;
    this.#reader.frame(payload);
  }
}
