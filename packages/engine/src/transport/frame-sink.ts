import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { CLOSE_CODES, type CloseName } from '@rivulet/protocol';
import { systemClock } from '../structures/clock.js';
import { TurnBudget } from '../structures/turn-budget.js';
import { FrameSkipper } from './frame-skipper.js';
import type { Liveness, Pingable } from './liveness.js';
import { SlowReader } from './slow-reader.js';
import { encodeControlFrame, encodePong, PING_FRAME } from './websocket-frame.js';

const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const CLOSE = 0x8;
const TOO_LARGE = 1009;
const PROTOCOL_ERROR = 1002;
const POLICY_VIOLATION = 1008;
/** Unsent bytes above which the sink sends no pong. Such a peer does not read. */
const MOST_UNSENT_BYTES = 16_384;
const CLOSE_TIMEOUT_MS = 5_000;
/** All connections share the turn of the event loop. */
const TURNS = TurnBudget.of(systemClock);

/** Returns whether a request is a WebSocket upgrade as RFC 6455 demands. */
export function isCorrectUpgrade({ method, headers }: IncomingMessage): boolean {
  const { 'sec-websocket-key': key = '', 'sec-websocket-version': version } = headers;
  return method === 'GET' && KEY.test(key) && (version === '13' || version === '8');
}

/** Answers a WebSocket upgrade with 101. Returns `false`, and sends nothing, if the request is no correct upgrade. */
export function acceptUpgrade(request: IncomingMessage, socket: Socket, protocol: string | undefined): boolean {
  if (!isCorrectUpgrade(request)) return false;
  const key = request.headers['sec-websocket-key'] ?? '';
  if (protocol !== undefined && !TOKEN.test(protocol)) return false;
  const accept = createHash('sha1')
    .update(key + ACCEPT_SUFFIX)
    .digest('base64');
  const chosen = protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`,
  );
  return true;
}

/**
 * An open WebSocket whose messages the engine ignores: telemetry, and connections that are refused after their upgrade. The sink drops
 * bytes as they arrive, so its peer occupies almost no memory. It answers pings and the closing handshake.
 */
export class FrameSink implements Pingable {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #liveness: Liveness;
  readonly #skipper: FrameSkipper;
  #closing = false;
  readonly reader: SlowReader;
  readonly mayRest = false;

  constructor(socket: Socket, liveness: Liveness, mostFrameBytes: number, remoteAddress: string) {
    this.remoteAddress = remoteAddress;
    this.reader = new SlowReader(socket.bytesWritten);
    this.#socket = socket;
    this.#liveness = liveness;
    this.#skipper = new FrameSkipper(mostFrameBytes, {
      onPing: (payload) => this.#send(encodePong(payload)),
      onClose: (code) => {
        this.#end(isCloseCode(code) ? code : PROTOCOL_ERROR, '');
        this.#socket.end();
      },
      onBroken: (reason) => this.#end(reason === 'too_large' ? TOO_LARGE : PROTOCOL_ERROR, ''),
    });
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroySoon());
    socket.once('close', () => liveness.remove(this));
    liveness.add(this);
  }

  /** Begins to read. `head` holds the bytes that came with the upgrade request. */
  read(head: Buffer): void {
    const socket = this.#socket;
    const take = (bytes: Buffer) => {
      // All pongs of one read leave in one write. A write for each ping would hold up the event loop.
      socket.cork();
      this.#skipper.push(bytes);
      socket.uncork();
    };
    take(head);
    socket.on('data', (bytes: Buffer) => {
      // The sink drops pongs like all frames, so it takes any bytes for the pong.
      this.reader.ponged(PING_FRAME.length);
      if (!TURNS.spent) return take(bytes);
      // Many sockets may be readable in the same turn, and each read may have thousands of frames.
      socket.pause();
      TURNS.next()
        .then(() => {
          take(bytes);
          socket.resume();
        })
        .catch(() => socket.destroy());
    });
    socket.resume();
  }

  get buffered(): number {
    return this.#socket.writableLength;
  }

  get written(): number {
    return this.#socket.bytesWritten;
  }

  get taken(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  get unfinished(): object | undefined {
    return this.#closing ? undefined : this.#skipper.unfinished;
  }

  write(frame: Buffer): void {
    this.#send(frame);
  }

  probe(): void {
    if (!this.#closing && this.reader.probe(this)) this.#send(PING_FRAME);
  }

  expire(): void {
    this.#end(POLICY_VIOLATION, '');
  }

  close(name: CloseName): void {
    const { code, reason } = CLOSE_CODES[name];
    this.#end(code, reason);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #send(frame: Buffer): void {
    if (!this.#closing && this.#socket.writableLength <= MOST_UNSENT_BYTES) this.#socket.write(frame);
  }

  /** Sends one close frame. After it, the sink drops all bytes until the peer closes, at most for `CLOSE_TIMEOUT_MS`. */
  #end(code: number, reason: string): void {
    if (this.#closing) return;
    this.#send(encodeControlFrame(CLOSE, Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)])));
    this.#closing = true;
    this.#liveness.remove(this);
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }
}

/** Returns whether a close frame may have this code (RFC 6455 §7.4). */
function isCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);
}
