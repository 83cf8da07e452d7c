import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type ErrorCode, LIMITS, RivuletError } from '@rivulet/protocol';
import type { AdminConfig } from '../config/config.js';
import { readRequestTarget } from '../http/request/request-target.js';
import { runInBackground } from '../logging/background.js';
import type { EventCounters } from '../logging/event-counters.js';
import type { Logger } from '../logging/logger.js';
import { RepeatedLine } from '../logging/repeated-line.js';
import { ByteBudget } from '../structures/byte-budget.js';
import type { Clock } from '../structures/clock.js';
import { AddressRanges } from '../structures/ip-address.js';
import { TurnBudget } from '../structures/turn-budget.js';
import { ConnectionAdmission } from '../transport/admission/connection-admission.js';
import type { DescriptorReserve } from '../transport/admission/descriptor-reserve.js';
import { ListenError } from '../transport/listener.js';
import { AdminAccess, type AdminRole, type Need } from './admin-access.js';
import { type AdminBody, readBody } from './admin-body.js';
import { type Answer, AnswerError, errorAnswer } from './answer.js';
import { AdminMessage, type LiveStreams, LiveUpgrades } from './live-upgrades.js';
import { codedAnswer } from './outcome.js';

/** One request that the access rules allow. */
export interface AdminRequest {
  readonly query: string;
  readonly role: AdminRole;
  /** `Accept-Encoding` of the request, or the empty string. */
  readonly acceptEncoding: string;
  /** Decoded parts of the path that have a name in the route, by that name. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The body of a write; `null` for other methods. */
  readonly body: AdminBody;
}

/** The handler of one method of a path. */
export interface AdminRoute {
  readonly need: Need;
  readonly handle: (request: AdminRequest) => Answer | Promise<Answer>;
  /** Runs with the status of each answer that an allowed request gets, also when its body was refused. */
  readonly ended?: (request: Pick<AdminRequest, 'query' | 'parameters'>, status: number) => void;
}

export type RouteFound =
  | { readonly kind: 'route'; readonly route: AdminRoute; readonly parameters: Readonly<Record<string, string>> }
  | { readonly kind: 'wrong_method'; readonly need: Need; readonly allow: string }
  | { readonly kind: 'unknown' };

export interface AdminListenerOptions {
  readonly config: AdminConfig;
  readonly find: (method: string, path: string) => RouteFound;
  /** Sessions of operators. @default none */
  readonly live?: LiveStreams | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: EventCounters;
  readonly descriptors: DescriptorReserve;
  /** Milliseconds after which a client that takes nothing of its answer is dropped. @default LIMITS.httpStallMs */
  readonly stallMs?: number;
}

const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' } as const;
const HEADERS_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 15_000;
/** UTF-16 code units from which an answer waits for a turn of the event loop that has time. */
const LONG_CHARS = 32_768;
/** Milliseconds between two checks of deadlines. */
const CHECK_MS = 500;
/** The requests that run at the same time, by what they need. */
const BOUNDS = {
  page: ['files', LIMITS.adminFiles],
  scrape: ['reads', LIMITS.adminReads],
  viewer: ['reads', LIMITS.adminReads],
  full: ['writes', LIMITS.adminWrites],
} as const satisfies Record<Exclude<Need, 'probe'>, readonly [kind: string, most: number]>;
const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const NO_BODY: AdminBody = { text: 'null', inexact: false, isEmpty: true, taken: 0 };

/** The TCP port of the admin listener. It bounds connections, heads, bodies and waits, and lets only allowed requests through. */
export class AdminListener {
  readonly #options: AdminListenerOptions;
  readonly #server: Server;
  readonly #access: AdminAccess;
  readonly #admission: ConnectionAdmission;
  readonly #live: LiveUpgrades;
  readonly #bodies = new ByteBudget(LIMITS.adminBodiesBytes);
  readonly #turns: TurnBudget;
  /** Number of requests that run now, without those of probes. Strangers may read files, so files take no place of the others. */
  readonly #running = { reads: 0, writes: 0, files: 0 };
  /** Number of unanswered requests of each connection. */
  readonly #unanswered = new WeakMap<Socket, number>();
  readonly #refusedLine: RepeatedLine;
  readonly #stalledLine: RepeatedLine;
  readonly #fullLine: RepeatedLine;

  constructor(options: AdminListenerOptions) {
    this.#options = options;
    this.#access = new AdminAccess(options.config);
    this.#turns = TurnBudget.of(options.clock);
    this.#refusedLine = new RepeatedLine(options.clock);
    this.#stalledLine = new RepeatedLine(options.clock);
    this.#fullLine = new RepeatedLine(options.clock);
    this.#admission = new ConnectionAdmission({
      listener: 'admin',
      most: LIMITS.adminConnections,
      mostWaitingPerAddress: LIMITS.adminConnections,
      trustedProxies: new AddressRanges([]),
      descriptors: options.descriptors,
      logger: options.logger,
      counters: options.counters,
    });
    this.#live = new LiveUpgrades({
      streams: options.live,
      decide: (request, need) => this.#access.decide(request, need),
      refused: (request, path, code) => this.#reportRefused(request, path, code),
      full: (address) => this.#reportFull(address),
      clock: options.clock,
      logger: options.logger,
    });
    this.#server = createServer({
      IncomingMessage: AdminMessage,
      maxHeaderSize: LIMITS.headerBytes,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: LIMITS.adminRequestMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
    });
    // Node silently drops headers above its limit. `#answer` refuses the request instead.
    this.#server.maxHeadersCount = 0;
    this.#server.setTimeout(options.stallMs ?? LIMITS.httpStallMs, (socket) => this.#dropStalled(socket));
    this.#server.on('connection', (socket) => this.#admission.admit(socket));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('connect', (_request, socket) => socket.destroy());
    // Node handles an offer of another protocol, or on another path, as a request without it.
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
    this.#server.on('request', (request, response) => this.#receive(request, response, false));
    this.#server.on('checkContinue', (request, response) => this.#receive(request, response, true));
  }

  /** Binds the port. Resolves with the bound address, or rejects with a `ListenError`. */
  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port } = this.#options.config;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => reject(new ListenError('admin', host, port, error));
      this.#server.once('error', failed);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => this.#options.logger.error('listener_error', { listener: 'admin', error: error.message }));
        resolve();
      });
    });
    return { host, port: (this.#server.address() as AddressInfo).port };
  }

  /** Closes the port and drops all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#live.close();
    this.#admission.close();
    await closed;
  }

  #receive(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { socket } = request;
    response.on('error', () => {});
    request.on('error', () => {});
    const unanswered = (this.#unanswered.get(socket) ?? 0) + 1;
    this.#unanswered.set(socket, unanswered);
    if (unanswered > LIMITS.adminPipelined) {
      socket.destroy();
      return;
    }
    response.once('close', () => {
      const left = (this.#unanswered.get(socket) ?? 1) - 1;
      this.#unanswered.set(socket, left);
      if (left === 0) this.#admission.wait(socket);
    });
    const answering = this.#answer(request, response, expectsContinue).then(async (answer) => {
      if (answer.pieces !== undefined) return sendPieces(socket, response, answer, answer.pieces);
      // The rows of a long page have used up this turn, and its encoding takes time too. A short answer waits for nothing.
      if (answer.body.length >= LONG_CHARS) await this.#turns.pay(answer.body.length);
      this.#send(request, response, answer);
    });
    runInBackground(answering, this.#options.logger, 'admin_request', () => socket.destroy());
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // An answer to an earlier request would stand among the frames.
    if ((this.#unanswered.get(socket) ?? 0) > 0) {
      socket.destroy();
      return;
    }
    this.#admission.engage(socket);
    this.#live.receive(request, socket, head);
  }

  async #answer(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<Answer> {
    if (request.rawHeaders.length > LIMITS.httpHeaders * 2)
      return errorAnswer(431, 'HEADERS_TOO_LARGE', `a request may have ${LIMITS.httpHeaders} headers`);
    const { method = 'GET' } = request;
    const { path, query } = readRequestTarget(request.url ?? '/');
    const found = this.#options.find(method === 'HEAD' ? 'GET' : method, path);
    // A path that does not exist reveals nothing to strangers either.
    const need = found.kind === 'unknown' ? 'viewer' : found.kind === 'route' ? found.route.need : found.need;
    const verdict = this.#access.decide(request, need);
    if (verdict.kind === 'refused') return this.#refuse(request, path, verdict.status, verdict.code, verdict.message);
    if (found.kind === 'unknown') return errorAnswer(404, 'NOT_FOUND', 'no such path; docs/admin.md lists all of them');
    if (found.kind === 'wrong_method')
      return { ...errorAnswer(405, 'INVALID_ARGUMENTS', `this path has ${found.allow} only`), allow: found.allow };
    const { route, parameters } = found;
    const acceptEncoding = String(request.headers['accept-encoding'] ?? '');
    const allowed = { query, role: verdict.role, parameters, acceptEncoding };
    const answer = await this.#bounded(request, response, route.need, async () => {
      if (!WRITES.has(method)) return route.handle({ ...allowed, body: NO_BODY });
      if (expectsContinue) response.writeContinue();
      const body = await readBody(request, this.#bodies, this.#turns);
      try {
        return await route.handle({ ...allowed, body });
      } finally {
        this.#bodies.give(body.taken);
      }
    });
    route.ended?.(allowed, answer.status);
    return answer;
  }

  /** Runs the work of an allowed request. A probe has no bound, because its answer is short and waits for nothing. */
  async #bounded(request: IncomingMessage, response: ServerResponse, need: Need, work: () => Promise<Answer>): Promise<Answer> {
    if (need === 'probe') return this.#guarded(request, work);
    const [kind, most] = BOUNDS[need];
    if (this.#running[kind] >= most)
      return errorAnswer(503, 'OVERLOADED', `${most} ${kind} run already on the admin listener; try again later`);
    this.#running[kind]++;
    this.#admission.engage(request.socket);
    try {
      return await this.#guarded(request, work);
    } finally {
      // The function of a client that left early still runs until here. The answer to a slow reader still waits after it.
      whenClosed(request.socket, response, () => this.#running[kind]--);
    }
  }

  /** Turns each failure into an answer. */
  async #guarded(request: IncomingMessage, work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof AnswerError) return error.answer;
      if (request.errored !== null) return errorAnswer(400, 'BODY_TIMEOUT', 'the body did not arrive');
      if (error instanceof RivuletError) return codedAnswer(error);
      this.#options.logger.error('admin_request_failed', { error: error instanceof Error ? error.stack : String(error) });
      return errorAnswer(500, 'INTERNAL_ERROR', 'the engine failed; its log has the cause in admin_request_failed');
    }
  }

  #refuse(request: IncomingMessage, path: string, status: 401 | 403, code: ErrorCode, message: string): Answer {
    this.#reportRefused(request, path, code);
    return errorAnswer(status, code, message);
  }

  #reportRefused(request: IncomingMessage, path: string, code: ErrorCode): void {
    const { logger, counters } = this.#options;
    counters.add('admin_refused');
    const fields = { code, path: path.slice(0, 128), address: request.socket.remoteAddress };
    this.#refusedLine.add((times) => logger.warn('admin_refused', { ...fields, times }));
  }

  #reportFull(address: string | undefined): void {
    const { logger, counters } = this.#options;
    counters.add('live_connections_full');
    this.#fullLine.add((times) => logger.warn('live_connections_full', { address, times, limit: LIMITS.liveConnections }));
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    { status, body, bytes, type = 'application/json', headers, allow, closes = false }: Answer,
  ): void {
    if (response.destroyed) return;
    // A client that has not sent its whole body keeps no connection.
    const isWhole = request.complete || !WRITES.has(request.method ?? '');
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; the values are constants and numbers
    response.writeHead(status, {
      ...COMMON_HEADERS,
      ...headers,
      'content-type': type,
      'content-length': bytes?.length ?? Buffer.byteLength(body),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(allow === undefined ? {} : { allow }),
      ...(isWhole && !closes ? {} : { connection: 'close' }),
    });
    response.end(bytes ?? body);
    if (!isWhole) setTimeout(() => request.destroy(), LIMITS.httpUnreadBodyMs).unref();
  }

  #dropStalled(socket: Socket): void {
    const isReader = socket.writableLength > 0;
    if (!isReader && (this.#unanswered.get(socket) ?? 0) > 0) return;
    if (isReader) this.#reportStalled(socket.remoteAddress);
    socket.destroy();
  }

  #reportStalled(address: string | undefined): void {
    const { logger, counters } = this.#options;
    counters.add('admin_reader_stalled');
    const consequence = 'the connection is closed, and its answer is not complete';
    this.#stalledLine.add((times) => logger.warn('admin_reader_stalled', { address, times, consequence }));
  }
}

/** Sends a body in pieces. Rejects when they fail; the caller then ends the connection, so that the client sees no complete answer. */
async function sendPieces(
  socket: Socket,
  response: ServerResponse,
  { status, type = 'text/plain' }: Answer,
  pieces: AsyncIterable<string>,
): Promise<void> {
  // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; the values are constants and numbers
  response.writeHead(status, { ...COMMON_HEADERS, 'content-type': type });
  for await (const piece of pieces) {
    if (response.destroyed || socket.destroyed) return;
    if (!response.write(piece)) await drained(socket, response);
  }
  response.end();
}

/** Resolves when the response takes more, or when its connection has ended. */
function drained(socket: Socket, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    response.once('drain', done);
    socket.once('close', done);
  });
}

/** Calls `done` once, when the answer was sent or its connection has ended. A pipelined answer that never got its turn emits no `close`. */
function whenClosed(socket: Socket, response: ServerResponse, done: () => void): void {
  const closed = () => {
    socket.off('close', closed);
    response.off('close', closed);
    done();
  };
  if (socket.destroyed || response.destroyed) {
    closed();
    return;
  }
  socket.once('close', closed);
  response.once('close', closed);
}
