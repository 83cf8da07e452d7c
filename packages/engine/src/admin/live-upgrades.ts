import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import { queryParameters, readRequestTarget } from '../http/request/request-target.js';
import type { Logger } from '../logging/logger.js';
import { LIVE_PATH, type LiveSessions } from '../stream/session/live-sessions.js';
import type { Clock } from '../structures/clock.js';
import { plainAddress } from '../structures/ip-address.js';
import { isCorrectUpgrade } from '../transport/frame-sink.js';
import { Handshakes } from '../transport/handshakes.js';
import { Liveness } from '../transport/liveness.js';
import type { AccessRequest, AccessVerdict, Need } from './admin-access.js';

/** The sessions of operators, as the listener uses them. */
export type LiveStreams = Pick<LiveSessions, 'open' | 'pings' | 'readTarget' | 'stopped'>;

export interface LiveUpgradesOptions {
  /** Absent when the engine has no streams. */
  readonly streams: LiveStreams | undefined;
  readonly decide: (request: AccessRequest, need: Need) => AccessVerdict;
  /** Logs and counts a refused upgrade. */
  readonly refused: (request: IncomingMessage, path: string, code: ErrorCode) => void;
  /** Logs and counts an upgrade for which there is no place. */
  readonly full: (address: string | undefined) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 431 | 503;
  readonly code: ErrorCode;
  readonly message: string;
}

const STATUS_TEXT = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
} as const satisfies Record<Refusal['status'], string>;

/** The sub-protocol before the token, as the client sends both. */
const PROTOCOL = 'Authorization';
/** Prefix of a token as base64url. A token may have characters that no sub-protocol can have. */
const ENCODED = 'base64url.';
/** Milliseconds in which a client takes the answer to a refused upgrade. */
const REFUSAL_MS = 5_000;

/**
 * A request of which Node asks whether it is an upgrade. It is one on `LIVE_PATH` only: some clients offer HTTP/2 with each request, and
 * Node must read the bodies of theirs. Node gives no way to decide by request before version 24, so this answers in place of the property
 * that Node sets.
 */
export class AdminMessage extends IncomingMessage {
  declare offersUpgrade: boolean | null;

  get upgrade(): boolean {
    return this.offersUpgrade === true && (this.method === 'CONNECT' || isLiveOffer(this));
  }

  set upgrade(offers: boolean | null) {
    this.offersUpgrade = offers;
  }
}

/** The upgrades of `/live`: sessions of operators over WebSockets. */
export class LiveUpgrades {
  readonly #options: LiveUpgradesOptions;
  /** Connections that are open or being closed. */
  #open = 0;
  #sockets: { readonly liveness: Liveness; readonly handshakes: Handshakes } | undefined;

  constructor(options: LiveUpgradesOptions) {
    this.#options = options;
  }

  /** Opens a session, or answers with the reason why there is none. */
  receive(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const dropped = () => socket.destroy();
    socket.on('error', dropped);
    const { path, query } = readRequestTarget(request.url ?? '/');
    const { streams } = this.#options;
    const refusal = this.#check(request, head, query);
    if (refusal !== undefined) return this.#refuse(request, socket, path, refusal);
    const target = streams?.readTarget(path, query);
    if (streams === undefined || target === undefined || target.kind === 'unknown')
      return this.#refuse(request, socket, path, { status: 404, code: 'NOT_FOUND', message: 'no such path, or no streams' });
    if (target.kind === 'invalid')
      return this.#refuse(request, socket, path, { status: 400, code: 'INVALID_ID', message: 'a name in the path is no id' });
    if (streams.stopped) return this.#refuse(request, socket, path, { status: 503, code: 'ENGINE_STOPPING', message: 'the engine stops' });
    if (this.#open >= LIMITS.liveConnections) {
      const message = `${LIMITS.liveConnections} connections to ${LIVE_PATH} are open; close a page of the inspector`;
      return this.#refuse(request, socket, path, { status: 503, code: 'OVERLOADED', message });
    }
    socket.off('error', dropped);
    this.#open++;
    socket.once('close', () => this.#open--);
    const protocol = protocolsOf(request).includes(PROTOCOL) ? PROTOCOL : undefined;
    const remoteAddress = plainAddress(socket.remoteAddress ?? '');
    const open = streams.open.bind(streams);
    this.#socketsFor(streams).handshakes.complete({
      request,
      socket,
      head,
      protocol,
      remoteAddress,
      open: (connection) => open(connection, target),
    });
  }

  /** Ends the timers. The listener drops the connections. */
  close(): void {
    this.#sockets?.liveness.close();
  }

  #check(request: IncomingMessage, head: Buffer, query: string): Refusal | undefined {
    if (request.rawHeaders.length > LIMITS.httpHeaders * 2)
      return { status: 431, code: 'HEADERS_TOO_LARGE', message: `a request may have ${LIMITS.httpHeaders} headers` };
    if (!isCorrectUpgrade(request)) return { status: 400, code: 'INVALID_ARGUMENTS', message: 'this is no upgrade as RFC 6455 demands' };
    const token = tokenOf(request);
    const headers = token === undefined ? request.headers : { ...request.headers, authorization: `Bearer ${token}` };
    const verdict = this.#options.decide({ headers, rawHeaders: request.rawHeaders }, 'viewer');
    if (verdict.kind === 'refused') return verdict;
    // Proxies and browsers keep addresses, so no client may get used to this.
    if ('token' in queryParameters(query))
      return { status: 400, code: 'INVALID_ARGUMENTS', message: 'no token may be in a URL; send it as sub-protocol' };
    // A client must wait for the answer before it sends frames.
    if (head.length > LIMITS.earlyBytes)
      return { status: 400, code: 'INVALID_ARGUMENTS', message: 'a client waits for the answer before it sends frames' };
    return undefined;
  }

  /** Returns the timers and the handshakes. A listener without any session has none. */
  #socketsFor({ pings }: LiveStreams): { readonly handshakes: Handshakes } {
    const { clock, logger } = this.#options;
    if (this.#sockets === undefined) {
      const liveness = new Liveness({ ...pings, clock });
      const handshakes = new Handshakes({ name: 'admin', maxMessageBytes: LIMITS.clientMessageBytes, liveness, logger });
      this.#sockets = { liveness, handshakes };
    }
    return this.#sockets;
  }

  #refuse(request: IncomingMessage, socket: Socket, path: string, { status, code, message }: Refusal): void {
    if (code === 'OVERLOADED') this.#options.full(socket.remoteAddress);
    else this.#options.refused(request, path, code);
    const body = JSON.stringify({ error: { code, message } });
    const challenge = status === 401 ? 'WWW-Authenticate: Bearer\r\n' : '';
    const head = `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\n${challenge}Content-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    socket.setTimeout(REFUSAL_MS, () => socket.destroy());
    socket.end(head + body);
    socket.destroySoon();
  }
}

/** Returns whether a request asks for a WebSocket on the path of these sessions. */
function isLiveOffer({ url = '/', headers }: IncomingMessage): boolean {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return false;
  const { path } = readRequestTarget(url);
  return path === LIVE_PATH || path.startsWith(`${LIVE_PATH}/`);
}

function protocolsOf({ headers }: IncomingMessage): readonly string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
}

/** Returns the token that follows `Authorization` in the list of sub-protocols; `undefined` when there is none. */
function tokenOf(request: IncomingMessage): string | undefined {
  const protocols = protocolsOf(request);
  const at = protocols.indexOf(PROTOCOL);
  const token = at < 0 ? undefined : protocols[at + 1];
  if (token === undefined || token === '' || !token.startsWith(ENCODED)) return token;
  return Buffer.from(token.slice(ENCODED.length), 'base64url').toString();
}
