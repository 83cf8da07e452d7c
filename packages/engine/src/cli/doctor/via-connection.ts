import { randomBytes, randomInt } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { plainAddress } from '../../structures/ip-address.js';

const ANSWER_MS = 5_000;
/** A Close frame of a client with the code 1000 and a mask of zeros. */
const CLOSE_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
/** First byte of a Close frame. */
const CLOSE = 0x88;
/** Bytes of a Close frame of an engine up to its code. */
const CLOSE_BYTES = 4;
const LOOPBACK_IPV4 = /^https?:\/\/(?:localhost|127\.[\d.]+)(?=[:/?#]|$)/i;

/** The answer to an upgrade. */
export type ViaAnswer =
  | { readonly kind: 'open'; readonly connection: ViaConnection }
  | { readonly kind: 'answered'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** An open WebSocket to the public address of a stream port. It sends nothing. */
export class ViaConnection {
  /** The address of this end of the connection. */
  readonly localAddress: string;
  /** Code of the Close frame that the engine sent as its first frame. */
  closeCode: number | undefined;
  readonly #socket: Duplex;
  #first = Buffer.alloc(0);
  #isClosed = false;

  constructor(socket: Duplex, localAddress: string, head: Buffer) {
    this.#socket = socket;
    this.localAddress = plainAddress(localAddress);
    this.#read(head);
    socket.on('data', (bytes: Buffer) => this.#read(bytes)).on('error', () => {});
  }

  #read(bytes: Buffer): void {
    if (this.#first.length >= CLOSE_BYTES || this.#isClosed) return;
    this.#first = Buffer.concat([this.#first, bytes]);
    if (this.#first.length >= CLOSE_BYTES && this.#first[0] === CLOSE) this.closeCode = this.#first.readUInt16BE(2);
  }

  /** Ends the session by a Close frame, so that it ends too when a proxy keeps its connection to the engine. */
  close(): void {
    this.#isClosed = true;
    this.#socket.write(CLOSE_FRAME);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/**
 * Opens a WebSocket at an `http:` or `https:` address, as a page would. To a proxy on this machine it connects from an address that no
 * other program uses, so that the engine can tell this client from the proxy.
 */
export async function openVia(url: string, headers: Readonly<Record<string, string>> = {}): Promise<ViaAnswer> {
  if (!LOOPBACK_IPV4.test(url)) return upgrade(url, headers, {});
  const localAddress = `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(2, 255)}`;
  const answer = await upgrade(url, headers, { localAddress, family: 4 });
  // Some systems have one loopback address.
  return answer.kind === 'unreachable' ? upgrade(url, headers, {}) : answer;
}

interface From {
  readonly localAddress?: string;
  readonly family?: 4;
}

function upgrade(url: string, headers: Readonly<Record<string, string>>, from: From): Promise<ViaAnswer> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const sent = request(url, {
      ...from,
      agent: false,
      headers: {
        ...headers,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      },
    });
    const end = (answer: ViaAnswer) => {
      clearTimeout(timer);
      if (answer.kind !== 'open') sent.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end({ kind: 'unreachable', reason: 'no answer' }), ANSWER_MS);
    sent.once('upgrade', (_response, socket, head) =>
      end({ kind: 'open', connection: new ViaConnection(socket, socket.localAddress ?? '', head) }),
    );
    sent.once('response', ({ statusCode = 0 }) => end({ kind: 'answered', status: statusCode }));
    sent.on('error', (error) => end({ kind: 'unreachable', reason: error.message }));
    sent.end();
  });
}
