import { randomBytes } from 'node:crypto';
import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { Failure } from '../core/fabric/invocation.js';
import { publicError } from '../core/fabric/public-error.js';
import type { ExchangeContext, RoutedRequest } from './exchange-context.js';
import type { BodyFailure } from './request/request-body.js';
import { jsonResponse, type ValueResponse } from './response/response-value.js';
import { sendValue } from './response/send-value.js';

/** Status codes of engine errors that concern the request or the moment. All other errors are 500. */
const STATUS_OF: ReadonlyMap<string, number> = new Map<ErrorCode, number>([
  ['MESSAGE_TOO_LARGE', 413],
  ['OVERLOADED', 503],
]);

/** Sends the one value or error that answers a request, and logs failures of the engine or of functions. */
export class Reply {
  readonly #context: ExchangeContext;
  readonly #routed: RoutedRequest;
  readonly #sent: () => void;
  #isSent = false;

  /** `sent` runs once, when the response was given to its connection. */
  constructor(context: ExchangeContext, routed: RoutedRequest, sent: () => void) {
    this.#context = context;
    this.#routed = routed;
    this.#sent = sent;
  }

  /** Forbids any later reply, since the response has begun in another way or the client has left. */
  close(): void {
    this.#isSent = true;
  }

  /** Sends a value. If the clients have too many unsent bytes, it sends 503 instead. */
  send(value: ValueResponse): void {
    if (this.#isSent) return;
    const { response } = this.#routed;
    const { cors, unsent } = this.#context;
    const bytes = Buffer.byteLength(value.body);
    // The connection buffers this much in any case. So small responses, such as errors, need no memory of the budget.
    if (bytes > response.writableHighWaterMark) {
      const give = unsent.take(bytes, () => {
        response.destroy();
        give?.();
      });
      if (give === undefined)
        return this.fail(503, 'OVERLOADED', `responses of ${LIMITS.httpUnsentBytes} bytes wait for their clients; try again later`);
      response.once('close', give);
    }
    this.#isSent = true;
    sendValue(response, value, cors);
    this.#sent();
  }

  /** Sends an error, and logs it if it is a 5xx. `functionId` names the function that failed. */
  fail(status: number, code: ErrorCode | (string & {}), message: string, functionId?: string, errorId = newErrorId()): void {
    if (this.#isSent) return;
    const { route, response } = this.#routed;
    // The request may have come before the stop began, when the listener announced no end of the connection.
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
    if (code === 'ENGINE_STOPPING') response.setHeader('connection', 'close');
    if (status < 500) return this.send(jsonResponse(status, { error: { code, message } }));
    const fields = { error_id: errorId, method: route.method, path: route.path, function: functionId ?? route.binding.functionId, code };
    this.#context.logger.warn('http_request_failed', fields);
    this.send(jsonResponse(status, { error: { code, message, error_id: errorId } }));
  }

  /** Sends the public form of a function's error. The log has the full error under the same id. */
  failWith(failure: Failure, functionId: string): void {
    const { config, logger } = this.#context;
    const errorId = newErrorId();
    const shown = publicError(failure, { functionId, expose: config.exposeErrorMessages === true, logger, errorId });
    this.fail(STATUS_OF.get(failure.error.code) ?? 500, shown.code, shown.message, functionId, errorId);
  }

  failBody(failure: BodyFailure): void {
    switch (failure.kind) {
      case 'too_large':
        return this.fail(413, 'BODY_TOO_LARGE', failure.reason);
      case 'no_room':
        return this.fail(503, 'OVERLOADED', `the bodies of open requests have ${LIMITS.httpBodiesBytes} bytes; try again later`);
      case 'too_slow':
        return this.fail(408, 'BODY_TIMEOUT', `the body arrived with less than ${LIMITS.httpBodyPaceBytes} bytes a second; send it again`);
      default:
        return failure satisfies never;
    }
  }
}

function newErrorId(): string {
  return randomBytes(8).toString('hex');
}
