import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { HttpConfig } from '../config/config.js';
import type { EventCounters } from '../logging/event-counters.js';
import type { Logger } from '../logging/logger.js';
import { RepeatedLine } from '../logging/repeated-line.js';
import { AddressRanges } from '../structures/ip-address.js';
import { ConnectionAdmission } from '../transport/admission/connection-admission.js';
import type { DescriptorReserve } from '../transport/admission/descriptor-reserve.js';
import { ListenError } from '../transport/listener.js';
import { HttpFigures } from './http-figures.js';
import type { HttpRequest } from './request/http-request.js';

const HEADERS_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 65_000;
/** Milliseconds between two checks of the deadline of request heads. */
const CHECK_MS = 500;

const REFUSALS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

export interface HttpListenerOptions {
  readonly config: HttpConfig;
  readonly logger: Logger;
  readonly counters: EventCounters;
  readonly descriptors: DescriptorReserve;
  readonly onRequest: (request: HttpRequest) => void;
}

/** The TCP port of HTTP triggers. It bounds heads, connections and waits, and gives each request to its owner. */
export class HttpListener {
  readonly #config: HttpConfig;
  readonly #server: Server;
  readonly #logger: Logger;
  /** The unsent responses of each connection, in the order of their requests. Node sends them in that order. */
  readonly #unsent = new Map<Socket, Set<ServerResponse>>();
  #unsentCount = 0;
  readonly figures = new HttpFigures();
  /** Connections that sent too many requests at once, with the number of requests after that. */
  readonly #overrun = new WeakMap<Socket, number>();
  readonly #admission: ConnectionAdmission;
  readonly #counters: EventCounters;
  readonly #onRequest: (request: HttpRequest) => void;
  readonly #pipelineLine = new RepeatedLine();
  #stopping = false;
  #allSent: (() => void) | undefined;

  constructor(options: HttpListenerOptions) {
    const { config, logger, counters, onRequest } = options;
    this.#config = config;
    this.#logger = logger;
    this.#counters = counters;
    this.#onRequest = onRequest;
    this.#admission = new ConnectionAdmission({
      listener: 'http',
      most: LIMITS.httpConnections,
      mostWaitingPerAddress: LIMITS.waitingPerAddress,
      trustedProxies: new AddressRanges(config.trustedProxies),
      descriptors: options.descriptors,
      logger,
      counters,
    });
    this.#server = createServer({
      maxHeaderSize: LIMITS.headerBytes,
      headersTimeout: HEADERS_TIMEOUT_MS,
      // A body may take as long as its function takes to read it. The request as a whole has `default_timeout`.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
    });
    // `close` of Node calls this method. Node counts a connection as idle although its last response is still being sent.
    this.#server.closeIdleConnections = () => {};
    // `LIMITS.httpHeaders` bounds the number of headers. Node would silently drop those above its own limit.
    this.#server.maxHeadersCount = 0;
    this.#server.setTimeout(LIMITS.httpStallMs, (socket) => this.#dropStalled(socket));
    this.#server.on('connection', (socket) => this.#track(socket));
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket as Socket));
    this.#server.on('connect', (_request, socket) => {
      socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () => socket.destroy());
    });
    this.#server.on('request', (request, response) => this.#receive(request, response, false));
    this.#server.on('checkContinue', (request, response) => this.#receive(request, response, true));
  }

  /** Binds the port. Resolves with the bound address, or rejects with a `ListenError`. */
  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port } = this.#config;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => reject(new ListenError('http', host, port, error));
      this.#server.once('error', failed);
      this.#server.listen({ host, port, backlog: 4_096 }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => this.#logger.error('listener_error', { listener: 'http', error: error.message }));
        resolve();
      });
    });
    return { host, port: (this.#server.address() as AddressInfo).port };
  }

  /** Stops accepting connections, and closes those without a request. */
  stopAccepting(): void {
    this.#stopping = true;
    this.#server.close();
    for (const [socket, unsent] of this.#unsent) if (unsent.size === 0) socket.destroy();
  }

  /** Resolves when every response has been sent, or after `milliseconds`. Resolves with the number of unsent responses. */
  async drain(milliseconds: number): Promise<number> {
    if (this.#unsentCount === 0) return 0;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#allSent = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return this.#unsentCount;
  }

  /** Drops all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#admission.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #track(socket: Socket): void {
    if (!this.#admission.admit(socket)) return;
    const unsent = new Set<ServerResponse>();
    this.#unsent.set(socket, unsent);
    socket.once('close', () => {
      this.#unsent.delete(socket);
      // Node emits `close` only for the first response of a closed connection.
      for (const response of unsent) if (response.socket === null) response.emit('close');
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { socket } = request;
    const unsent = this.#unsent.get(socket);
    if (unsent === undefined) return;
    const beyond = this.#overrun.get(socket);
    if (beyond !== undefined) {
      // Node keeps each request until its turn. A client that sends still more gets no answers at all.
      this.#overrun.set(socket, beyond + 1);
      if (beyond >= LIMITS.httpPipelined) socket.destroy();
      return;
    }
    this.#admission.engage(socket);
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
    if (this.#stopping) response.setHeader('connection', 'close');
    this.#open(socket, unsent, response);
    response.on('finish', () => readRest(request));
    if (isOverrun(unsent)) return this.#refuseOverrun(socket, response);
    let owesContinue = expectsContinue;
    // A client that gets its answer without `100 Continue` may leave out the body. Then nothing else can follow on this connection.
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
    if (owesContinue) response.setHeader('connection', 'close');
    this.#onRequest({
      request,
      response,
      waitForClient: () => {
        if (owesContinue) {
          owesContinue = false;
          if (!this.#stopping) response.removeHeader('connection');
          response.writeContinue();
        }
        this.#admission.wait(socket);
      },
      engage: () => {
        if (unsent.has(response)) this.#admission.engage(socket);
      },
    });
  }

  #open(socket: Socket, unsent: Set<ServerResponse>, response: ServerResponse): void {
    unsent.add(response);
    this.#unsentCount++;
    const begun = performance.now();
    response.once('close', () => {
      this.figures.add(response, performance.now() - begun);
      unsent.delete(response);
      if (unsent.size === 0) this.#admission.wait(socket);
      if (--this.#unsentCount === 0) this.#allSent?.();
    });
  }

  /** Sends the last answer of this connection. The engine does not read what follows. */
  #refuseOverrun(socket: Socket, response: ServerResponse): void {
    this.#overrun.set(socket, 0);
    socket.pause();
    this.#counters.add('http_pipeline_refused');
    this.#pipelineLine.add((times) => this.#logger.warn('http_pipeline_refused', { times, limit: LIMITS.httpPipelined }));
    const message = `more than ${LIMITS.httpPipelined} requests of this connection wait for their answers; wait for some of them first`;
    const body = JSON.stringify({ error: { code: 'OVERLOADED' satisfies ErrorCode, message } });
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; the values are constants and a number
    response.writeHead(503, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), connection: 'close' });
    response.end(body);
  }

  /**
   * Drops a connection on which nothing has moved for a while, if it has unsent bytes or no request. A connection whose function works
   * stays.
   */
  #dropStalled(socket: Socket): void {
    if (socket.writableLength > 0 || this.#unsent.get(socket)?.size === 0) socket.destroy();
  }

  /** Refuses a client that sent bytes that are no HTTP, or took too long. A client that sent nothing gets no answer. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    if (!socket.writable || error.code === 'ECONNRESET' || socket.bytesRead === 0 || !isNext(this.#unsent.get(socket))) {
      socket.destroy();
      return;
    }
    const answer = `HTTP/1.1 ${REFUSALS[error.code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    // The engine has read everything, so nothing is lost when the connection is dropped right after the answer.
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      socket.end(answer, () => socket.destroy());
      return;
    }
    socket.end(answer);
    const timer = setTimeout(() => socket.destroy(), LIMITS.httpUnreadBodyMs);
    socket.once('close', () => clearTimeout(timer));
  }
}

/** Returns whether a connection has too many unanswered requests. */
function isOverrun(unsent: ReadonlySet<ServerResponse>): boolean {
  if (unsent.size > LIMITS.httpPipelined) return true;
  if (unsent.size === 1) return false;
  let chars = 0;
  for (const { req } of unsent) {
    chars += req.url?.length ?? 0;
    for (const text of req.rawHeaders) chars += text.length;
  }
  return chars > LIMITS.httpPipelinedChars;
}

/** Returns whether the client would take bytes that are written now for the answer to the bytes that were just read. */
function isNext(unsent: ReadonlySet<ServerResponse> | undefined): boolean {
  const [first, second] = unsent ?? [];
  return second === undefined && (first === undefined || (!first.headersSent && !first.req.complete));
}

/** Reads and drops the rest of a body for a moment after the response was sent, so that the client can read the response. */
function readRest(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), LIMITS.httpUnreadBodyMs);
  request.once('close', () => clearTimeout(timer));
}
