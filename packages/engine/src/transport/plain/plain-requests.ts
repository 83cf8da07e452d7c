import type { IncomingMessage, ServerResponse } from 'node:http';
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
  /** Number of unanswered requests of each connection. */
  readonly #open = new WeakMap<Socket, number>();
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
    if (!this.#begin(request.socket, response)) return;
    const { stopping } = this;
    if (!handler({ request, response, about: describe(request), isHostAllowed: isHostAllowed(request), stopping }))
      answerPlain(request, response, plain);
  }

  /** Counts a request until its answer was sent. Drops a client that sends more requests and does not read their answers. */
  #begin(socket: Socket, response: ServerResponse): boolean {
    const { admission, counters, logger, listener } = this.#options;
    const open = (this.#open.get(socket) ?? 0) + 1;
    if (open > LIMITS.httpPipelined) {
      counters.add('plain_pipeline_refused');
      this.#refusedLine.add((times) => logger.warn('plain_pipeline_refused', { listener, times, limit: LIMITS.httpPipelined }));
      socket.destroy();
      return false;
    }
    this.#open.set(socket, open);
    admission.engage(socket);
    response.once('close', () => {
      const left = (this.#open.get(socket) ?? 1) - 1;
      this.#open.set(socket, left);
      if (left === 0 && !socket.destroyed) admission.wait(socket);
    });
    return true;
  }
}
