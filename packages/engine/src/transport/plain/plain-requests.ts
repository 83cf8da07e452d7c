import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LIMITS } from '@rivulet/protocol';
import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Clock } from '../../structures/clock.js';
import type { ConnectionAdmission } from '../admission/connection-admission.js';
import { answerPlain, type PlainAnswer } from '../upgrade/plain-answer.js';
import type { UpgradeRequest } from '../upgrade/upgrade-request.js';

/** An HTTP request that is no upgrade. */
export interface PlainRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Facts about the request, as a gateway reads them. */
  readonly about: UpgradeRequest;
  /** Whether the `Host` header is one that the listener accepts. */
  readonly isHostAllowed: boolean;
  /** Whether the listener stops, and the connection closes after this answer. */
  readonly stopping: boolean;
  /**
   * Takes the connection for this answer, which ends with it. Later requests get no answer then. Returns false, and takes nothing, when
   * another request of the connection waits for its answer.
   */
  readonly takeConnection: () => boolean;
}

/** Answers some plain requests of a listener. Returns false, and does nothing, for a request that is not its own. Must not throw. */
export type PlainHandler = (plain: PlainRequest) => boolean;

export interface PlainRequestsOptions {
  /** Name of the listener in logs. */
  readonly listener: string;
  /** The answer to requests that the handler does not take. */
  readonly plain: PlainAnswer;
  readonly handler: PlainHandler | undefined;
  readonly admission: ConnectionAdmission;
  readonly describe: (request: IncomingMessage) => UpgradeRequest;
  readonly isHostAllowed: (request: IncomingMessage) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: EventCounters;
}

/** The requests of one listener that are no upgrades. A connection has at most `LIMITS.httpPipelined` of them without an answer. */
export class PlainRequests {
  readonly #options: PlainRequestsOptions;
  /** The responses of each connection that were not sent yet. */
  readonly #open = new WeakMap<Socket, Set<ServerResponse>>();
  /** Connections that belong to one answer until they end. */
  readonly #taken = new WeakSet<Socket>();
  readonly #refusedLine: RepeatedLine;
  /** Whether connections close after their next answer. */
  stopping = false;

  constructor(options: PlainRequestsOptions) {
    this.#options = options;
    this.#refusedLine = new RepeatedLine(options.clock);
  }

  receive(request: IncomingMessage, response: ServerResponse): void {
    const { handler, plain, describe, isHostAllowed } = this.#options;
    if (handler === undefined) return answerPlain(request, response, plain);
    const { socket } = request;
    const open = this.#openOf(socket);
    if (!this.#begin(socket, open, response) || this.#taken.has(socket)) return;
    const { stopping } = this;
    const takeConnection = () => {
      if (open.size > 1) return false;
      this.#taken.add(socket);
      return true;
    };
    if (!handler({ request, response, about: describe(request), isHostAllowed: isHostAllowed(request), stopping, takeConnection }))
      answerPlain(request, response, plain);
  }

  /**
   * Answers a request that offers another protocol than a WebSocket, as if it did not: some clients offer HTTP/2 with each request. The
   * connection ends with the answer. Returns false when the listener answers no such requests.
   */
  receiveOffer(request: IncomingMessage, socket: Socket): boolean {
    if (this.#options.handler === undefined || this.#openOf(socket).size > 0) return false;
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    // Node has given the socket away, so nothing else does this.
    socket.on('drain', () => response.emit('drain'));
    response.once('finish', () => socket.destroySoon());
    socket.resume();
    this.receive(request, response);
    return true;
  }

  /** Keeps a response until it was sent. Drops a client that sends more requests and does not read their answers. */
  #begin(socket: Socket, open: Set<ServerResponse>, response: ServerResponse): boolean {
    const { admission, counters, logger, listener } = this.#options;
    if (open.size >= LIMITS.httpPipelined) {
      counters.add('plain_pipeline_refused');
      this.#refusedLine.add((times) => logger.warn('plain_pipeline_refused', { listener, times, limit: LIMITS.httpPipelined }));
      socket.destroy();
      return false;
    }
    open.add(response);
    admission.engage(socket);
    response.once('close', () => {
      open.delete(response);
      if (open.size === 0 && !socket.destroyed) admission.wait(socket);
    });
    return true;
  }

  #openOf(socket: Socket): Set<ServerResponse> {
    const known = this.#open.get(socket);
    if (known !== undefined) return known;
    const open = new Set<ServerResponse>();
    this.#open.set(socket, open);
    socket.once('close', () => {
      // Node emits `close` only for the first response of a closed connection.
      for (const response of open) if (response.socket === null) response.emit('close');
    });
    return open;
  }
}
