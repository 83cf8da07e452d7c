import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { CLOSE_CODES, type CloseName, LIMITS } from '@rivulet/protocol';
import { runInBackground } from '../logging/background.js';
import { EventCounters } from '../logging/event-counters.js';
import type { Logger } from '../logging/logger.js';
import { RepeatedLine } from '../logging/repeated-line.js';
import type { Clock } from '../structures/clock.js';
import { AddressRanges } from '../structures/ip-address.js';
import { ConnectionAdmission } from './admission/connection-admission.js';
import { DescriptorReserve } from './admission/descriptor-reserve.js';
import { UpgradeBudget } from './admission/upgrade-budget.js';
import type { Connection, ConnectionOwner } from './connection.js';
import { acceptUpgrade, FrameSink } from './frame-sink.js';
import { Handshakes } from './handshakes.js';
import { Liveness } from './liveness.js';
import { type PlainHandler, PlainRequests } from './plain/plain-requests.js';
import { clientAddress } from './upgrade/client-address.js';
import { type HostRule, isHostAllowed } from './upgrade/host-check.js';
import type { PlainAnswer } from './upgrade/plain-answer.js';
import type { UpgradeRequest } from './upgrade/upgrade-request.js';

export type Verdict =
  | {
      readonly kind: 'accept';
      readonly protocol: string | undefined;
      readonly open: (connection: Connection) => ConnectionOwner;
      /**
       * Accepts a transfer of bulk data. Its messages have at most `LIMITS.channelMessageBytes`, and its peer may pause before it reads on.
       * @default false
       */
      readonly bulk?: boolean;
    }
  /** Answers the upgrade with this HTTP status. */
  | { readonly kind: 'refuse'; readonly status: RefusalStatus; readonly retryAfterS?: number }
  /** Completes the upgrade, sends `frame` and closes at once. This is for clients whose process dies of an HTTP refusal. */
  | { readonly kind: 'accept_then_close'; readonly protocol: string | undefined; readonly close: CloseName; readonly frame?: Buffer }
  /** Completes the upgrade and drops the bytes of the peer as they arrive. Such connections have bounds of their own. */
  | { readonly kind: 'sink'; readonly protocol: string | undefined };

export type RefusalStatus = 400 | 401 | 403 | 404 | 503;

const STATUS_TEXT: Readonly<Record<RefusalStatus, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
};

export interface ListenerOptions {
  /** Name in logs and errors: `worker` or `stream`. */
  readonly name: string;
  readonly host: string;
  /** Port to bind. 0 means any free port. */
  readonly port: number;
  /**
   * CIDR ranges of the proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` the listener believes.
   * @default none
   */
  readonly trustedProxies?: readonly string[];
  /** The answer to requests that are no upgrades. */
  readonly plain: PlainAnswer;
  /**
   * Answers some of these requests in place of `plain`.
   * @default none
   */
  readonly handler?: PlainHandler | undefined;
  /**
   * The `Host` headers that upgrades may have.
   * @default any
   */
  readonly hosts?: HostRule;
  readonly maxMessageBytes: number;
  /** Deadline for the request head, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** Milliseconds between two pings of a connection. */
  readonly pingIntervalMs: number;
  /** Milliseconds that a peer has to answer a ping. */
  readonly pongTimeoutMs: number;
  /** See `LivenessOptions`. */
  readonly spareSlowReaders: boolean;
  /** Decides about each upgrade, at once or later. Must not throw. */
  readonly route: (request: UpgradeRequest) => Verdict | Promise<Verdict>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** @default counters that nobody reads */
  readonly counters?: EventCounters;
  /** @default a reserve of this listener alone */
  readonly descriptors?: DescriptorReserve;
}

/** Characters of a refused `Host` that the log shows. */
const SHOWN_HOST_CHARS = 256;

/** A port that the engine could not bind. Its fields are what the command line prints. */
export class ListenError extends Error {
  readonly code: string;
  readonly port: number;
  readonly listener: string;

  constructor(listener: string, host: string, port: number, cause: NodeJS.ErrnoException) {
    super(`the ${listener} listener can't bind ${host}:${port} (${cause.code ?? cause.message})`, { cause });
    this.name = 'ListenError';
    this.code = cause.code ?? 'EUNKNOWN';
    this.port = port;
    this.listener = listener;
  }
}

/** A TCP port that accepts WebSocket upgrades. It answers plain HTTP requests with `answerPlain`. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #handshakes: Handshakes;
  readonly #liveness: Liveness;
  readonly #admission: ConnectionAdmission;
  readonly #plain: PlainRequests;
  readonly #counters: EventCounters;
  readonly #trustedProxies: AddressRanges;
  /** Number of open sinks of each address group. */
  readonly #sinks = new Map<string, number>();
  #sinkCount = 0;
  readonly #pending: UpgradeBudget;
  readonly #refusedHosts: RepeatedLine;
  /** The address that the operating system has bound. */
  #boundTo = '';
  #accepting = true;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#trustedProxies = new AddressRanges(options.trustedProxies ?? []);
    this.#counters = options.counters ?? new EventCounters();
    this.#pending = new UpgradeBudget(LIMITS.pendingUpgrades, LIMITS.pendingUpgradeChars);
    this.#admission = new ConnectionAdmission({
      listener: options.name,
      most: LIMITS.listenerConnections,
      mostWaitingPerAddress: LIMITS.waitingPerAddress,
      trustedProxies: this.#trustedProxies,
      descriptors: options.descriptors ?? DescriptorReserve.ofProcess(),
      logger: options.logger,
      counters: this.#counters,
    });
    this.#refusedHosts = new RepeatedLine(options.clock);
    this.#liveness = new Liveness({ ...options, onExpired: ({ remoteAddress }) => this.#messageExpired(remoteAddress) });
    this.#handshakes = new Handshakes({ ...options, liveness: this.#liveness });
    this.#server = createServer({
      maxHeaderSize: LIMITS.headerBytes,
      headersTimeout: options.headersTimeoutMs,
      requestTimeout: options.headersTimeoutMs,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 500,
    });
    this.#server.maxHeadersCount = LIMITS.headers;
    this.#plain = new PlainRequests({
      listener: options.name,
      plain: options.plain,
      handler: options.handler,
      admission: this.#admission,
      describe: (request) => describe(request, this.#trustedProxies),
      isHostAllowed: (request) => this.#hostAllowed(request),
      clock: options.clock,
      logger: options.logger,
      counters: this.#counters,
    });
    this.#server.on('request', (request, response) => this.#plain.receive(request, response));
    this.#server.on('connection', (socket) => this.#admission.admit(socket));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('upgrade', (request, socket, head) => {
      const drop = () => socket.destroy();
      runInBackground(this.#upgrade(request, socket as Socket, head), options.logger, 'upgrade', drop);
    });
  }

  /** Binds the port. Resolves with the bound address, or rejects with a `ListenError`. */
  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port, name } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => reject(new ListenError(name, host, port, error));
      this.#server.once('error', failed);
      this.#server.listen({ host, port, backlog: 4_096 }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => this.#options.logger.error('listener_error', { listener: name, error: error.message }));
        resolve();
      });
    });
    const bound = this.#server.address() as AddressInfo;
    this.#boundTo = bound.address;
    return { host, port: bound.port };
  }

  /** Stops accepting connections. Open connections stay. */
  stopAccepting(): void {
    this.#accepting = false;
    this.#plain.stopping = true;
    this.#server.close();
  }

  /** Stops accepting connections and drops those that are open. */
  async close(): Promise<void> {
    this.#liveness.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#admission.close();
    await closed;
  }

  /** See `Liveness.roundTrip`. */
  roundTrip(): Promise<void> {
    return this.#liveness.roundTrip();
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    this.#admission.engage(socket);
    const dropped = () => socket.destroy();
    socket.on('error', dropped);
    const offer = request.headers.upgrade?.toLowerCase();
    if (offer !== 'websocket') {
      // Without an offer, the request had more headers than count. Others may be missing too, so nobody answers it.
      if (offer === undefined || !this.#plain.receiveOffer(request, socket)) this.#refuse(socket, 400);
      return;
    }
    if (!this.#hostAllowed(request)) return this.#refuse(socket, 403);
    // A client must wait for the answer before it sends frames. Some clients send a few frames early.
    if (head.length > LIMITS.earlyBytes) return this.#refuse(socket, 400);
    const chars = headChars(request);
    if (!this.#accepting) return this.#refuse(socket, 503);
    if (!this.#pending.take(chars)) {
      this.#counters.add('upgrade_refused_busy');
      this.#options.logger.warn('upgrade_refused_busy', { listener: this.#options.name, waiting: this.#pending.count });
      return this.#refuse(socket, 503);
    }
    const description = describe(request, this.#trustedProxies);
    let verdict: Verdict;
    try {
      verdict = await this.#options.route(description);
    } catch (error) {
      this.#options.logger.error('upgrade_failed', { listener: this.#options.name, error: String(error) });
      verdict = { kind: 'refuse', status: 503 };
    } finally {
      this.#pending.give(chars);
    }
    if (socket.destroyed || !socket.readable) {
      // A client that has closed only its side would keep the descriptor open.
      socket.destroy();
      return;
    }
    // Both names come from closed lists, so their number is bounded.
    if (verdict.kind === 'refuse') this.#counters.add(`upgrade_refused_${verdict.status}`);
    if (verdict.kind === 'accept_then_close') this.#counters.add(`upgrade_closed_${CLOSE_CODES[verdict.close].code}`);
    if (verdict.kind === 'refuse') return this.#refuse(socket, verdict.status, verdict.retryAfterS);
    if (verdict.kind === 'accept') {
      socket.off('error', dropped);
      this.#handshakes.complete({ ...verdict, request, socket, head, remoteAddress: description.remoteAddress });
    } else this.#sink(request, socket, head, verdict, description);
  }

  /** Completes an upgrade whose messages the engine ignores. */
  #sink(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    verdict: Extract<Verdict, { kind: 'sink' | 'accept_then_close' }>,
    { remoteAddress, addressGroup }: UpgradeRequest,
  ): void {
    const closes = verdict.kind === 'accept_then_close';
    const { logger, name } = this.#options;
    if (closes && logger.isDebug === true)
      logger.debug('upgrade_closed', { listener: name, reason: verdict.close, address: remoteAddress });
    if (!closes && !this.#addSink(socket, addressGroup)) return this.#refuse(socket, 503);
    if (!acceptUpgrade(request, socket, verdict.protocol)) return this.#refuse(socket, 400);
    const sink = new FrameSink(socket, this.#liveness, closes ? Number.MAX_SAFE_INTEGER : LIMITS.telemetryFrameBytes, remoteAddress);
    if (closes) {
      if (verdict.frame !== undefined) sink.write(verdict.frame);
      sink.close(verdict.close);
    }
    sink.read(head);
  }

  #addSink(socket: Socket, address: string): boolean {
    const same = this.#sinks.get(address) ?? 0;
    if (same >= LIMITS.telemetrySocketsPerAddress || this.#sinkCount >= LIMITS.telemetrySockets) {
      this.#counters.add('telemetry_refused');
      this.#options.logger.warn('telemetry_refused', { listener: this.#options.name, address, sockets: this.#sinkCount });
      return false;
    }
    this.#sinks.set(address, same + 1);
    this.#sinkCount++;
    socket.once('close', () => {
      this.#sinkCount--;
      const left = (this.#sinks.get(address) ?? 1) - 1;
      if (left > 0) this.#sinks.set(address, left);
      else this.#sinks.delete(address);
    });
    return true;
  }

  #messageExpired(address: string): void {
    this.#counters.add('message_deadline');
    this.#options.logger.warn('message_deadline', { code: 'MESSAGE_DEADLINE', listener: this.#options.name, address });
  }

  #hostAllowed(request: IncomingMessage): boolean {
    const { hosts, logger, name } = this.#options;
    if (hosts === undefined || isHostAllowed(request, hosts, this.#boundTo)) return true;
    this.#counters.add('host_refused');
    const host = (request.headers.host ?? '').slice(0, SHOWN_HOST_CHARS);
    this.#refusedHosts.add((times) => logger.warn('host_refused', { listener: name, host, remedy: 'add it to allowed_hosts', times }));
    return false;
  }

  #refuse(socket: Socket, status: RefusalStatus, retryAfterS?: number): void {
    const { logger, name } = this.#options;
    if (logger.isDebug === true) logger.debug('upgrade_refused', { listener: name, status, address: socket.remoteAddress });
    const later = retryAfterS === undefined ? '' : `Retry-After: ${retryAfterS}\r\n`;
    socket.end(`HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\n${later}Connection: close\r\nContent-Length: 0\r\n\r\n`);
    socket.destroySoon();
  }
}

function whenGone(socket: Socket, callback: () => void): () => void {
  socket.once('end', callback);
  socket.once('close', callback);
  return () => {
    socket.off('end', callback);
    socket.off('close', callback);
  };
}

/** Returns the UTF-16 code units of a request head. */
function headChars({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((chars, text) => chars + text.length, url.length);
}

function describe(request: IncomingMessage, trustedProxies: AddressRanges): UpgradeRequest {
  const target = request.url ?? '/';
  const question = target.indexOf('?');
  const offered = request.headers['sec-websocket-protocol'];
  const { address, port, group, scheme } = clientAddress(request, trustedProxies);
  return {
    path: question < 0 ? target : target.slice(0, question),
    rawQuery: question < 0 ? '' : target.slice(question + 1),
    headers: request.headers,
    protocols: offered === undefined ? [] : offered.split(',').map((token) => token.trim()),
    remoteAddress: address,
    remotePort: port,
    addressGroup: group,
    scheme,
    whenGone: (callback) => whenGone(request.socket, callback),
  };
}
