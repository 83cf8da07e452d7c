import { connect, type Socket } from 'node:net';

/** What the load does with the frames of one socket. */
export interface FrameReader {
  /** Whether the payload of a data frame is wanted; `count` is called in any case. */
  wantsPayload(length: number): boolean;
  /** A data frame has come whole; the payload is there if it was wanted, and valid during the call only. */
  frame(payload: Buffer | undefined): void;
  /** The handshake has ended; frames that came with it are still to be handed over. */
  opened?(socket: RawSocket): void;
  /** It is gone, or was never there. */
  closed?(socket: RawSocket): void;
}

const NEWLINES = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);
/** Every socket reads into this buffer: the kernel's data is looked at before the next read starts. */
const SHARED = Buffer.allocUnsafeSlow(256 * 1_024);

/**
 * A WebSocket client that counts: it looks at frame headers and skips what nobody wants to see, so that one process keeps up with millions of
 * frames per second. Masks with zero, which is a valid mask.
 */
export class RawSocket {
  frames = 0;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #opened: (() => void) | undefined;
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #handshake: Buffer | undefined = NOTHING;
  /** Start of a frame header that the last read cut off. */
  #header: Buffer = NOTHING;
  #opcode = 0;
  /** Bytes of the current frame's payload that are still to come. */
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
    // What went wrong is told by `open`; who watches `closed` only needs to know that.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => reader.closed?.(this));
    this.#socket.write(
      `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
  }

  /** Begins a connection; the reader is told how it goes. */
  static connect(address: string, reader: FrameReader): RawSocket {
    return new RawSocket(new URL(address), reader);
  }

  /** Resolves when the handshake has ended. */
  static open(address: string, reader: FrameReader): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const client = RawSocket.connect(address, reader);
      client.#opened = () => resolve(client);
      client.#socket.on('error', reject);
      client.#socket.on('close', () => reject(new Error(`${address} closed the connection`)));
    });
  }

  /** Bytes that were sent and have not reached the kernel. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  send(text: string): void {
    this.#write(0x81, Buffer.from(text));
  }

  /** Runs `sends` and hands all that it sends to the kernel in one write. */
  together(sends: () => void): void {
    this.#socket.cork();
    sends();
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  /** Reads so many bytes per second from now on, on the average: after each read it rests for as long as that is worth. */
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
        // Rare: a header in two reads. Put together what is there and go on from its start.
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
