import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { LIMITS } from '@rivulet/protocol';
import type { HttpConfig } from '../config/config.js';
import type { Logger } from '../logging/logger.js';
import { ListenError } from '../transport/listener.js';

const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;

const REFUSALS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The TCP port of HTTP triggers: bounds of heads, connections and waits. What a request means is its owner's business. */
export class HttpListener {
  readonly #config: HttpConfig;
  readonly #server: Server;
  readonly #logger: Logger;
  /** Of each connection the responses that are not sent yet, in the order of their requests; the last ones wait for the first. */
  readonly #unsent = new Map<Socket, Set<ServerResponse>>();
  #unsentCount = 0;
  #stopping = false;
  #allSent: (() => void) | undefined;

  constructor(config: HttpConfig, logger: Logger, onRequest: (request: IncomingMessage, response: ServerResponse) => void) {
    this.#config = config;
    this.#logger = logger;
    this.#server = createServer({
      maxHeaderSize: LIMITS.headerBytes,
      headersTimeout: HEADERS_TIMEOUT_MS,
      // A body may take as long as its function takes to read it; the request as a whole has `default_timeout`.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1_000,
    });
    // Called by `close` of Node, whose idea of idle includes connections whose last response is still being sent.
    this.#server.closeIdleConnections = () => {};
    this.#server.maxConnections = LIMITS.httpConnections;
    // Their bytes have a bound already, and none may be lost in silence.
    this.#server.maxHeadersCount = 0;
    this.#server.setTimeout(LIMITS.httpStallMs, (socket) => this.#dropStalled(socket));
    this.#server.on('connection', (socket) => this.#track(socket));
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket as Socket));
    this.#server.on('request', (request, response) => {
      // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
      if (this.#stopping) response.setHeader('connection', 'close');
      this.#open(request.socket, response);
      response.on('finish', () => readRest(request));
      onRequest(request, response);
    });
  }

  /** Resolves with the bound address. */
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

  /** No new connections; those without a request are closed. */
  stopAccepting(): void {
    this.#stopping = true;
    this.#server.close();
    for (const [socket, unsent] of this.#unsent) if (unsent.size === 0) socket.destroy();
  }

  /** Resolves when every response has been sent, or when that takes too long; answers how many have not. */
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

  /** Drops whatever is still connected. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #track(socket: Socket): void {
    const unsent = new Set<ServerResponse>();
    this.#unsent.set(socket, unsent);
    socket.once('close', () => {
      this.#unsent.delete(socket);
      // Node tells a response that its connection has gone only while it is the first one.
      for (const response of unsent) if (response.socket === null) response.emit('close');
    });
  }

  #open(socket: Socket, response: ServerResponse): void {
    const unsent = this.#unsent.get(socket);
    if (unsent === undefined) return;
    unsent.add(response);
    this.#unsentCount++;
    response.once('close', () => {
      unsent.delete(response);
      if (--this.#unsentCount === 0) this.#allSent?.();
    });
  }

  /** Nothing has moved for a while: fine while a response is worked on, bad when something waits to be sent, or for nothing at all. */
  #dropStalled(socket: Socket): void {
    if (socket.writableLength > 0 || this.#unsent.get(socket)?.size === 0) socket.destroy();
  }

  /** The connection says what is no HTTP, or took too long to say it. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    if (!socket.writable || error.code === 'ECONNRESET' || !isNext(this.#unsent.get(socket))) {
      socket.destroy();
      return;
    }
    socket.end(`HTTP/1.1 ${REFUSALS[error.code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    const timer = setTimeout(() => socket.destroy(), LIMITS.httpUnreadBodyMs);
    socket.once('close', () => clearTimeout(timer));
  }
}

/** Whether what is written to a connection now would be taken for the answer to what was just read from it. */
function isNext(unsent: ReadonlySet<ServerResponse> | undefined): boolean {
  const [first, second] = unsent ?? [];
  return second === undefined && (first === undefined || (!first.headersSent && !first.req.complete));
}

/** A body that is still under way when the response has gone out: the client gets a moment to see the response. */
function readRest(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), LIMITS.httpUnreadBodyMs);
  request.once('close', () => clearTimeout(timer));
}
