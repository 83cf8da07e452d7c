import { randomBytes } from 'node:crypto';
import { type ErrorCode, field, isJsonObject, type JsonText, LIMITS } from '@rivulet/protocol';
import type { HttpConfig } from '../config/config.js';
import type { Channel, ChannelEnd } from '../core/channels/channel.js';
import { channelRef } from '../core/channels/channel-functions.js';
import type { Channels } from '../core/channels/channels.js';
import type { Fabric, PendingCall } from '../core/fabric/fabric.js';
import { type Failure, JsonPayload, type Outcome } from '../core/fabric/invocation.js';
import { publicError } from '../core/fabric/public-error.js';
import type { Logger } from '../logging/logger.js';
import { systemClock } from '../structures/clock.js';
import { TurnBudget } from '../structures/turn-budget.js';
import type { HttpRequest } from './request/http-request.js';
import { type BodyFailure, type BodyIntakes, isJson, type JsonBody, RequestBody } from './request/request-body.js';
import { queryParameters } from './request/request-target.js';
import type { Slots } from './request-slots.js';
import type { Cors } from './response/cors.js';
import { requestHeader, requestHeaders } from './response/headers.js';
import { jsonResponse, objectOf, readResponse, type ValueResponse } from './response/response-value.js';
import { sendValue } from './response/send-value.js';
import { StreamedResponse, type StreamedResponseOwner } from './response/streamed-response.js';
import type { UnsentResponses } from './response/unsent-responses.js';
import type { Route } from './routes/route.js';

/** What all exchanges of a listener share. */
export interface ExchangeContext {
  readonly config: HttpConfig;
  readonly fabric: Fabric;
  readonly channels: Channels;
  readonly cors: Cors;
  readonly slots: Slots;
  /** Slots of requests whose bodies stream to their functions. */
  readonly uploadSlots: Slots;
  readonly intakes: BodyIntakes;
  /** Of values that are on their way to their clients. */
  readonly unsent: UnsentResponses;
  readonly logger: Logger;
  /** The engine stops: what has no end need not begin. */
  stopping: boolean;
  /** Routes whose function was reported for a result that is no response. */
  readonly reported: WeakSet<Route>;
}

export interface RoutedRequest extends HttpRequest {
  readonly route: Route;
  readonly query: string;
  readonly parameters: Readonly<Record<string, string>>;
}

type ParsedBody = Extract<JsonBody, { kind: 'body' }>;

/** Of the engine's errors those that say something about the request, or about now. */
const STATUS_OF: ReadonlyMap<string, number> = new Map<ErrorCode, number>([
  ['MESSAGE_TOO_LARGE', 413],
  ['OVERLOADED', 503],
]);

const TURNS = TurnBudget.of(systemClock);
/** UTF-16 code units of a query that is decoded at once, whatever the turn has done. */
const SHORT_QUERY = 256;
const NO_BODY: ParsedBody = { kind: 'body', text: 'null', inexact: false };

/**
 * One request for a function and its response, in the order of spec HT §4.6. It ends once: with the response, at the time-out, or when
 * the client leaves. Then the call in flight is forgotten and both channels are freed, whatever stage it was in.
 */
export class Exchange implements StreamedResponseOwner {
  readonly #room: ExchangeContext;
  readonly #routed: RoutedRequest;
  readonly #ended: () => void;
  readonly #body: RequestBody;
  readonly #headers: Readonly<Record<string, string>>;
  #timer: NodeJS.Timeout | undefined;
  #leaveLine: () => void = () => {};
  #slots: Slots | undefined;
  #inMiddleware = false;
  #pending: PendingCall | undefined;
  #requestChannel: Channel | undefined;
  #responseChannel: Channel | undefined;
  #streamed: StreamedResponse | undefined;
  /** The function has answered with nothing. */
  #resultless = false;
  /** How the response channel has ended that said nothing before the answer. */
  #silent: ChannelEnd | undefined;
  /** What middleware says to the functions after it: JSON, or `undefined` as long as none said anything. */
  #context: JsonText | undefined;
  #over = false;

  /** `ended` runs once, when nothing of the exchange is left but bytes on their way. */
  constructor(room: ExchangeContext, routed: RoutedRequest, ended: () => void) {
    this.#room = room;
    this.#routed = routed;
    this.#ended = ended;
    this.#body = new RequestBody(routed, room.intakes);
    this.#headers = requestHeaders(routed.request.headers);
  }

  /** A response that has begun and has no end, such as server-sent events. */
  get endless(): boolean {
    return this.#streamed?.endless === true;
  }

  begin(): void {
    const { response } = this.#routed;
    response.once('close', () => this.#end());
    this.#timer = setTimeout(() => this.#expired(), this.#room.config.defaultTimeoutMs);
    this.#run().catch((error: unknown) => this.#crashed(error));
  }

  /** Drops the connection, so that its client can tell. */
  abort(): void {
    const { request, response } = this.#routed;
    // A response of HTTP/1.0 ends with its connection, so only a reset says that something is missing.
    if (response.headersSent && request.httpVersionMinor === 0) response.socket?.resetAndDestroy();
    response.destroy();
    this.#end();
  }

  // StreamedResponseOwner

  headSent(): void {
    clearTimeout(this.#timer);
    this.#leaveSlot();
    if (this.endless && this.#room.stopping) this.abort();
  }

  drained(): void {
    this.#responseChannel?.pump();
  }

  streamEnded(end: ChannelEnd, complete: boolean): void {
    const streamed = this.#streamed;
    if (this.#over || streamed === undefined) return;
    if (streamed.begun) {
      if (end !== 'done' || !complete) return this.abort();
      this.#routed.response.end();
      this.#end();
    } else if (end === 'restart') this.#fail(503, 'ENGINE_STOPPING', 'the engine stops; try again later');
    else if (end === 'writerLost') {
      // The call ends with its worker; what it answers still counts.
      this.#silent = end;
      if (this.#resultless) this.#failDropped();
    } else if (this.#resultless || streamed.controlled) this.#sendHeadOnly(streamed);
    else this.#silent = end;
  }

  /**
   * A slot is held only while a function works, never while the client has to send. So clients that send nothing keep nobody out. A body
   * that is not small is received after the middleware, so that strangers own little.
   */
  async #run(): Promise<void> {
    const { route } = this.#routed;
    const { slots, uploadSlots, intakes } = this.#room;
    const { extent } = this.#body;
    const middleware = this.#room.config.middleware.map(({ functionId }) => functionId);
    const deciding = route.binding.guest !== true;
    const json = isJson(this.#headers['content-type']);
    // Middleware of the route sees no body either; only a condition does, which comes before it.
    const later = route.condition === undefined ? [] : route.middleware;
    const sooner = route.condition === undefined ? route.middleware : [];
    if (extent === 'small') await this.#receive();
    if (extent !== 'large' || middleware.length > 0 || sooner.length > 0) await this.#enterSlot(slots);
    // Many requests may arrive in the same turn, and a long query takes milliseconds to decode.
    if (this.#routed.query.length > SHORT_QUERY && TURNS.spent) await TURNS.next();
    if (this.#over) return;
    if (middleware.length > 0 && !(await this.#passes(middleware, true))) return;
    if (sooner.length > 0 && !(await this.#passes(sooner, deciding))) return;
    if (extent === 'large') {
      this.#leaveSlot();
      if (json) await this.#receive();
      else await this.#awaitFirst();
      if (!json && uploadSlots.full) intakes.streamed.evictStalled();
      await this.#enterSlot(json ? slots : uploadSlots);
    }
    const body = json ? await this.#body.json(TURNS) : NO_BODY;
    if (this.#over) return;
    if (body.kind !== 'body') return this.#failBody(body);
    if (route.condition !== undefined && !(await this.#conditionHolds(route.condition, body, deciding))) return;
    if (later.length > 0 && !(await this.#passes(later, deciding))) return;
    this.#handle(body);
  }

  /** Asks the functions one after the other; `false`: one of them has answered the request, or failed. */
  async #passes(middleware: readonly string[], deciding: boolean): Promise<boolean> {
    const { request: received, parameters, query } = this.#routed;
    const request = { path_params: parameters, query_params: queryParameters(query), headers: this.#headers, method: received.method };
    const requestText = JSON.stringify(request);
    this.#inMiddleware = true;
    for (const functionId of middleware) {
      const payload = JsonPayload.ofText(`{"phase":"preHandler","request":${requestText},"context":${this.#context ?? '{}'}}`);
      const outcome = await this.#ask(functionId, this.#middlewareNamespace(functionId), payload, deciding);
      if (outcome.kind === 'error') {
        this.#failWith(outcome, functionId);
        return false;
      }
      const verdict = outcome.text === undefined ? undefined : objectOf(outcome.text);
      // A guest that binds a route may name middleware of its own, whose word must not reach a function that others own.
      if (deciding && verdict !== undefined && !this.#addContext(field(verdict, 'context'), functionId)) return false;
      if (verdict === undefined || field(verdict, 'action') !== 'respond') continue;
      const response = field(verdict, 'response');
      this.#send(readResponse(isJsonObject(response) ? response : {}));
      return false;
    }
    this.#inMiddleware = false;
    return true;
  }

  /** Middleware is found in the namespace of the route's function, else in `default`. A guest may call the first only, so no other is used. */
  #middlewareNamespace(functionId: string): string | undefined {
    const { namespace, guest } = this.#routed.route.binding;
    if (namespace === undefined || guest === true || this.#room.fabric.hasFunction(functionId, namespace)) return namespace;
    return undefined;
  }

  /** Adds the keys of an object to the context that later functions get; false: it is too large, and the request has failed. */
  #addContext(given: unknown, functionId: string): boolean {
    if (!isJsonObject(given)) return true;
    const before = this.#context === undefined ? {} : objectOf(this.#context);
    const text = JSON.stringify({ ...before, ...given });
    if (text.length > LIMITS.httpContextChars) {
      this.#fail(500, 'VALUE_TOO_LARGE', `the context of middleware has more than ${LIMITS.httpContextChars} characters`, functionId);
      return false;
    }
    this.#context = text;
    return true;
  }

  async #conditionHolds(functionId: string, body: ParsedBody, deciding: boolean): Promise<boolean> {
    const { namespace } = this.#routed.route.binding;
    const outcome = await this.#ask(functionId, namespace, JsonPayload.ofText(`{${this.#requestJson(body.text)}}`), deciding);
    if (outcome.kind === 'error') {
      this.#failWith(outcome, functionId);
      return false;
    }
    if (outcome.text !== 'false') return true;
    const error = { code: 'CONDITION_NOT_MET' satisfies ErrorCode, message: 'the condition of this route is not met' };
    this.#send(jsonResponse(422, { error, skipped: true }));
    return false;
  }

  #handle(body: ParsedBody): void {
    const { response, route, request } = this.#routed;
    const { channels, cors, fabric } = this.#room;
    const requestChannel = channels.create();
    const responseChannel = channels.create();
    this.#requestChannel = requestChannel;
    this.#responseChannel = responseChannel;
    this.#streamed = new StreamedResponse(response, cors, this);
    responseChannel.attachReader(this.#streamed);
    this.#body.pipe(requestChannel, (failure) => this.#failBody(failure));
    const refs = `"request_body":${JSON.stringify(channelRef(requestChannel, 'read'))},"response":${JSON.stringify(channelRef(responseChannel, 'write'))}`;
    const { functionId, namespace, metadata, workerId } = route.binding;
    const call = {
      functionId,
      namespace,
      payload: JsonPayload.ofText(`{${this.#requestJson(body.text)},${refs}}`),
      metadata,
      traceparent: requestHeader(request.headers, 'traceparent'),
      baggage: requestHeader(request.headers, 'baggage'),
      preferWorker: workerId,
      inexactNumbers: body.inexact,
      from: 'http' as const,
    };
    this.#pending = fabric.invoke(call, (outcome) => {
      this.#pending = undefined;
      try {
        this.#answered(outcome);
      } catch (error) {
        this.#crashed(error);
      }
    });
  }

  #answered(outcome: Outcome): void {
    const streamed = this.#streamed;
    if (this.#over || streamed === undefined) return;
    const { functionId } = this.#routed.route.binding;
    if (outcome.kind === 'error') {
      if (!streamed.begun) return this.#failWith(outcome, functionId);
      this.#room.logger.warn('http_response_cut_off', { function: functionId, code: outcome.error.code });
      return this.abort();
    }
    // What a function returns after it began to stream has no place to go.
    if (streamed.begun) return;
    if (outcome.text !== undefined && outcome.text !== 'null') return this.#send(this.#responseOf(outcome.text));
    this.#resultless = true;
    if (this.#silent === 'writerLost') return this.#failDropped();
    if (this.#silent !== undefined || this.#responseChannel?.over === true) return this.#sendHeadOnly(streamed);
    if (this.#responseChannel?.hasWriter === true) return;
    this.#leaveSlot();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#graceOver(), Math.min(LIMITS.httpResponseGraceMs, this.#room.config.defaultTimeoutMs));
  }

  /** The function answered with nothing; unless it streams by now, there is nothing to send. */
  #graceOver(): void {
    if (this.#responseChannel?.hasWriter === true) {
      this.#timer = setTimeout(() => this.#expired(), this.#room.config.defaultTimeoutMs);
      return;
    }
    this.#send({ ...jsonResponse(204, null), body: '' });
  }

  #responseOf(text: JsonText): ValueResponse {
    const result = objectOf(text);
    if (result !== undefined) return readResponse(result);
    const { reported, logger } = this.#room;
    const { route } = this.#routed;
    if (!reported.has(route)) {
      reported.add(route);
      const remedy = 'return an object with status_code, headers and body';
      logger.warn('http_result_ignored', { function: route.binding.functionId, path: route.path, remedy });
    }
    return readResponse({});
  }

  /** Never resolves when the exchange ends meanwhile. `deciding`: as in `Call`. */
  #ask(functionId: string, namespace: string | undefined, payload: JsonPayload, deciding: boolean): Promise<Outcome> {
    const { metadata, workerId } = this.#routed.route.binding;
    const call = { functionId, namespace, payload, metadata, preferWorker: workerId, deciding, from: 'http' as const };
    return new Promise((resolve) => {
      if (this.#over) return;
      this.#pending = this.#room.fabric.invoke(call, (outcome) => {
        this.#pending = undefined;
        if (!this.#over) resolve(outcome);
      });
    });
  }

  /** As `#ask`. */
  #receive(): Promise<void> {
    return new Promise((resolve) => this.#body.receive((failure) => this.#arrived(failure, resolve)));
  }

  /** As `#ask`. */
  #awaitFirst(): Promise<void> {
    return new Promise((resolve) => this.#body.awaitFirst((failure) => this.#arrived(failure, resolve)));
  }

  #arrived(failure: BodyFailure | undefined, resolve: () => void): void {
    if (this.#over) return;
    if (failure === undefined) resolve();
    else this.#failBody(failure);
  }

  /** As `#ask`. */
  #enterSlot(slots: Slots): Promise<void> {
    return new Promise((resolve) => {
      if (this.#over) return;
      const leaveLine = slots.enter(() => {
        this.#slots = slots;
        resolve();
      });
      if (leaveLine !== undefined) this.#leaveLine = leaveLine;
      else this.#fail(503, 'OVERLOADED', `more than ${LIMITS.httpWaiting} requests wait; try again later`);
    });
  }

  #requestJson(body: JsonText): string {
    const { route, query, parameters } = this.#routed;
    const queryJson = JSON.stringify(queryParameters(query));
    const context = this.#context === undefined ? '' : `,"context":${this.#context}`;
    return `"query_params":${queryJson},"path_params":${JSON.stringify(parameters)},"headers":${JSON.stringify(this.#headers)},${route.fixedJson},"body":${body}${context}`;
  }

  #send(value: ValueResponse): void {
    if (this.#over) return;
    const { response } = this.#routed;
    const { cors, unsent } = this.#room;
    const bytes = Buffer.byteLength(value.body);
    // What the connection holds anyway is not counted, and so the errors aren't.
    if (bytes > response.writableHighWaterMark) {
      const give = unsent.take(bytes, () => {
        response.destroy();
        give?.();
      });
      if (give === undefined)
        return this.#fail(503, 'OVERLOADED', `responses of ${LIMITS.httpUnsentBytes} bytes wait for their clients; try again later`);
      response.once('close', give);
    }
    sendValue(response, value, cors);
    this.#end();
  }

  #sendHeadOnly(streamed: StreamedResponse): void {
    streamed.sendHeadOnly();
    this.#end();
  }

  /** An error of a function that was called for the request. The client gets what it may see; the log has the rest under the same id. */
  #failWith(failure: Failure, functionId: string): void {
    const { config, logger } = this.#room;
    const errorId = newErrorId();
    const shown = publicError(failure, { functionId, expose: config.exposeErrorMessages === true, logger, errorId });
    this.#fail(STATUS_OF.get(failure.error.code) ?? 500, shown.code, shown.message, functionId, errorId);
  }

  #fail(status: number, code: ErrorCode | (string & {}), message: string, functionId?: string, errorId = newErrorId()): void {
    if (this.#over) return;
    const { route } = this.#routed;
    if (status < 500) return this.#send(jsonResponse(status, { error: { code, message } }));
    const fields = { error_id: errorId, method: route.method, path: route.path, function: functionId ?? route.binding.functionId, code };
    this.#room.logger.warn('http_request_failed', fields);
    this.#send(jsonResponse(status, { error: { code, message, error_id: errorId } }));
  }

  #failBody(failure: BodyFailure): void {
    switch (failure.kind) {
      case 'too_large':
        return this.#fail(413, 'BODY_TOO_LARGE', failure.reason);
      case 'no_room':
        return this.#fail(503, 'OVERLOADED', `the bodies of requests under way have ${LIMITS.httpBodiesBytes} bytes; try again later`);
      case 'too_slow':
        return this.#fail(408, 'BODY_TIMEOUT', `the body came slower than ${LIMITS.httpBodyPaceBytes} bytes a second; send it again`);
      default:
        return failure satisfies never;
    }
  }

  #failDropped(): void {
    this.#fail(500, 'invocation_stopped', 'the function dropped its response channel');
  }

  #crashed(error: unknown): void {
    this.#room.logger.error('http_exchange_failed', { error: error instanceof Error ? error.stack : String(error) });
    if (this.#routed.response.headersSent) this.abort();
    else this.#fail(500, 'INTERNAL_ERROR', 'the engine failed; its log has the cause');
  }

  #expired(): void {
    const { defaultTimeoutMs } = this.#room.config;
    if (this.#inMiddleware) this.#fail(504, 'MIDDLEWARE_TIMEOUT', `the middleware did not answer within ${defaultTimeoutMs} ms`);
    else this.#fail(504, 'TIMEOUT', `the response did not begin within ${defaultTimeoutMs} ms`);
  }

  #leaveSlot(): void {
    const slots = this.#slots;
    this.#slots = undefined;
    slots?.leave();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#pending?.cancel();
    this.#leaveLine();
    this.#leaveSlot();
    this.#requestChannel?.end('writerLost');
    this.#responseChannel?.end('readerGone');
    this.#body.discard();
    this.#ended();
  }
}

function newErrorId(): string {
  return randomBytes(8).toString('hex');
}
