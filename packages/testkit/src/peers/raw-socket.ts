import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Inbox } from '../inbox.js';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameShape {
  readonly opcode?: number;
  readonly fin?: boolean;
  /** The three reserved bits, from 0 to 7. */
  readonly reserved?: number;
  readonly masked?: boolean;
  readonly payload?: Buffer | string;
  /** Length in the header, independent of the length of the payload. */
  readonly claimedBytes?: bigint;
}

/** Builds a WebSocket frame of a client. The fields of `shape` can make it invalid. */
export function frame(shape: FrameShape = {}): Buffer {
  const payload = Buffer.from(shape.payload ?? '');
  const length = shape.claimedBytes ?? BigInt(payload.length);
  const first = (shape.fin === false ? 0 : 0x80) | ((shape.reserved ?? 0) << 4) | (shape.opcode ?? OPCODE.text);
  const maskBit = shape.masked === false ? 0 : 0x80;
  let head: Buffer;
  if (length < 126n) {
    head = Buffer.from([first, maskBit | Number(length)]);
  } else if (length < 65_536n) {
    head = Buffer.from([first, maskBit | 126, 0, 0]);
    head.writeUInt16BE(Number(length), 2);
  } else {
    head = Buffer.alloc(10);
    head.set([first, maskBit | 127]);
    head.writeBigUInt64BE(length, 2);
  }
  if (shape.masked === false) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at % 4] as number))]);
}

/** The way in which the server ended a connection. */
export interface Ending {
  /** Status of the HTTP response; undefined when there was none. */
  readonly status: number | undefined;
  /** Code of the close frame; undefined when there was none. */
  readonly code: number | undefined;
}

/** A bare TCP connection that sends arbitrary bytes and parses the responses of a WebSocket server. */
export class RawSocket {
  readonly socket: Socket;
  readonly texts = new Inbox<string>();
  /** Payloads of the received pongs. */
  readonly pongs = new Inbox<string>();
  readonly ended: Promise<Ending>;
  readonly upgraded: Promise<void>;
  /** Codes of the received close frames. */
  readonly closes = new Inbox<number>();
  /** Whether the socket answers pings with pongs. */
  answersPings = true;
  /** Whether the socket ends the TCP connection when it receives a close frame, as RFC 6455 demands, or when the server ends its side. */
  endsAfterClose = true;
  #received: Buffer = Buffer.alloc(0);
  #status: number | undefined;
  #code: number | undefined;
  #open = (): void => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    this.upgraded = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.ended = new Promise((resolve) => socket.once('close', () => resolve({ status: this.#status, code: this.#code })));
    socket.on('error', () => {});
    socket.on('data', (data) => this.#receive(data));
    socket.on('end', () => {
      if (this.endsAfterClose) socket.end();
    });
    socket.setNoDelay(true);
    onTestFinished(() => void socket.destroy());
  }

  static async connect(url: string): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    const raw = new RawSocket(connect({ port: Number(port), host: hostname, allowHalfOpen: true }));
    await new Promise<void>((resolve) => raw.socket.once('connect', () => resolve()));
    return raw;
  }

  /** Connects and completes the handshake. */
  static async upgrade(url: string, path = '/'): Promise<RawSocket> {
    const raw = await RawSocket.connect(url);
    raw.write(upgradeHead(path));
    await Promise.race([
      raw.upgraded,
      raw.ended.then(({ status }) => Promise.reject(new Error(`the upgrade of ${path} ended with HTTP ${status}`))),
    ]);
    return raw;
  }

  write(bytes: Buffer | string): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  text(text: string): void {
    this.write(frame({ payload: text }));
  }

  /** Resolves after a ping and its pong: the server has read everything that was written before. */
  async settled(): Promise<void> {
    const mark = randomBytes(8).toString('hex');
    this.write(frame({ opcode: OPCODE.ping, payload: mark }));
    await Promise.race([
      this.pongs.take((pong) => pong === mark, 'the pong'),
      this.ended.then(({ code }) => Promise.reject(new Error(`the connection ended with ${code}`))),
    ]);
  }

  /** Sends a close frame. */
  sendClose(code = 1000): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.write(frame({ opcode: OPCODE.close, payload }));
  }

  /** Sends the remaining data, then closes the connection from this side. */
  end(): Promise<Ending> {
    this.socket.end();
    return this.ended;
  }

  #receive(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    if (this.#status === undefined) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#received.toString('latin1', 0, 12))?.[1]);
      this.#received = this.#received.subarray(end + 4);
      if (this.#status === 100) {
        this.#status = undefined;
        this.#receive(Buffer.alloc(0));
        return;
      }
      if (this.#status !== 101) return;
      this.#open();
    }
    if (this.#status === 101) this.#readFrames();
  }

  #readFrames(): void {
    for (;;) {
      const [first, second] = this.#received;
      if (first === undefined || second === undefined) return;
      const extra = second === 126 ? 2 : second === 127 ? 8 : 0;
      if (this.#received.length < 2 + extra) return;
      const length = extra === 0 ? second : extra === 2 ? this.#received.readUInt16BE(2) : Number(this.#received.readBigUInt64BE(2));
      if (this.#received.length < 2 + extra + length) return;
      const payload = this.#received.subarray(2 + extra, 2 + extra + length);
      this.#received = this.#received.subarray(2 + extra + length);
      this.#take(first & 0x0f, payload);
    }
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.text) this.texts.push(payload.toString());
    else if (opcode === OPCODE.ping && this.answersPings) this.write(frame({ opcode: OPCODE.pong, payload }));
    else if (opcode === OPCODE.pong) this.pongs.push(payload.toString());
    else if (opcode === OPCODE.close) {
      this.#code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      this.closes.push(this.#code);
      if (this.endsAfterClose) this.socket.end();
    }
  }
}

/** Returns the head of a correct upgrade request for `path`. */
export function upgradeHead(path: string, more: readonly string[] = []): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...more,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
