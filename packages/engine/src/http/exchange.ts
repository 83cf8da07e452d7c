import { type ErrorCode, field, isJsonObject, type JsonText, LIMITS } from '@rivulet/protocol';
import type { Channel, ChannelEnd } from '../core/channels/channel.js';
import { channelRef } from '../core/channels/channel-functions.js';
import type { PendingCall } from '../core/fabric/fabric.js';
import { type Failure, JsonPayload, type Outcome } from '../core/fabric/invocation.js';
import { type ClockTimer, systemClock, timersOf } from '../structures/clock.js';
import { TurnBudget } from '../structures/turn-budget.js';
import type { ExchangeContext, RoutedRequest } from './exchange-context.js';
import { type ExchangeAction, type ExchangeEvent, type ExchangePhase, transition } from './exchange-phase.js';
import { Reply } from './reply.js';
import { type BodyFailure, isJson, type JsonBody, RequestBody } from './request/request-body.js';
import { queryParameters } from './request/request-target.js';
import type { RequestSlots } from './request-slots.js';
import { requestHeader, requestHeaders } from './response/headers.js';
import { jsonResponse, objectOf, readResponse, type ValueResponse } from './response/response-value.js';
import { StreamedResponse, type StreamedResponseOwner } from './response/streamed-response.js';

type ParsedBody = Extract<JsonBody, { kind: 'body' }>;

const TURNS = TurnBudget.of(systemClock);
/** UTF-16 code units up to which a query is decoded at once, also in a turn that has used up its time. */
const SHORT_QUERY = 256;
const NO_BODY: ParsedBody = { kind: 'body', text: 'null', inexact: false };

/**
 * One request for a function and its response, in the order of spec HT §4.6. It ends once: with the response, at the time-out, or when the
 * client leaves. In each case, the pending call is cancelled and both channels end. `exchange-phase.ts` has the table of the phases.
 */
export class Exchange implements StreamedResponseOwner {
  readonly #shared: ExchangeContext;
  readonly #routed: RoutedRequest;
  readonly #ended: () => void;
  readonly #reply: Reply;
  readonly #body: RequestBody;
  readonly #headers: Readonly<Record<string, string>>;
  #phase: ExchangePhase = { kind: 'preparing' };
  #timer: ClockTimer | undefined;
  /** Stops the wait for a slot. */
  #stopWaiting: () => void = () => {};
  #slots: RequestSlots | undefined;
  #pending: PendingCall | undefined;
  #requestChannel: Channel | undefined;
  #responseChannel: Channel | undefined;
  #streamed: StreamedResponse | undefined;
  /** The context that middleware has collected for later functions, as JSON. `undefined` as long as there is none. */
  #middlewareContext: JsonText | undefined;

  /** `ended` runs once, when nothing of the exchange is left but bytes on their way. */
  constructor(shared: ExchangeContext, routed: RoutedRequest, ended: () => void) {
    this.#shared = shared;
    this.#routed = routed;
    this.#ended = ended;
    this.#reply = new Reply(shared, routed, () => this.#end());
    this.#body = new RequestBody(routed, shared.intakes);
    this.#headers = requestHeaders(routed.request.headers);
  }

  /** Whether the response has begun and has no end, such as server-sent events. */
  get endless(): boolean {
    return this.#streamed?.endless === true;
  }

  begin(): void {
    this.#routed.response.once('close', () => this.#end());
    this.#startTimer(this.#shared.config.defaultTimeoutMs);
    this.#run().catch((error: unknown) => this.#crashed(error));
  }

  /** Drops the connection, so that the client notices the missing rest. */
  abort(): void {
    const { request, response } = this.#routed;
    // A response of HTTP/1.0 ends with its connection, so only a reset shows that a part is missing.
    if (response.headersSent && request.httpVersionMinor === 0) response.socket?.resetAndDestroy();
    response.destroy();
    this.#end();
  }

  // Methods of StreamedResponseOwner.

  headSent(): void {
    timersOf(this.#shared.clock).cancel(this.#timer);
    this.#reply.close();
    this.#apply({ kind: 'head_sent' });
    this.#leaveSlot();
    if (this.endless && this.#shared.stopping) this.abort();
  }

  drained(): void {
    this.#responseChannel?.pump();
  }

  streamEnded(end: ChannelEnd, complete: boolean): void {
    const controlled = this.#streamed?.controlled === true;
    this.#apply({ kind: 'channel_ended', end, complete, controlled });
  }

  get #over(): boolean {
    return this.#phase.kind === 'ended';
  }

  /** Moves to the next phase and does the work of the transition. `outcome` is the result of the function, if the event is `returned`. */
  #apply(event: ExchangeEvent, outcome?: Outcome): void {
    const { phase, action } = transition(this.#phase, event);
    this.#phase = phase;
    this.#perform(action, outcome);
  }

  #perform(action: ExchangeAction, outcome: Outcome | undefined): void {
    const { functionId } = this.#routed.route.binding;
    const { defaultTimeoutMs } = this.#shared.config;
    switch (action) {
      case 'none':
        return;
      case 'send_value':
        return this.#reply.send(this.#responseOf((outcome as Extract<Outcome, { kind: 'result' }>).text ?? 'null'));
      case 'send_error':
        return this.#reply.failWith(outcome as Failure, functionId);
      case 'send_head':
        this.#streamed?.sendHeadOnly();
        return this.#end();
      case 'send_nothing':
        return this.#reply.send({ ...jsonResponse(204, null), body: '' });
      case 'finish':
        this.#routed.response.end();
        return this.#end();
      case 'abort':
        return this.abort();
      case 'abort_failed':
        this.#shared.logger.warn('http_response_cut_off', { function: functionId, code: (outcome as Failure).error.code });
        return this.abort();
      case 'fail_middleware_timeout':
        return this.#reply.fail(504, 'MIDDLEWARE_TIMEOUT', `the middleware did not answer within ${defaultTimeoutMs} ms`);
      case 'fail_timeout':
        return this.#reply.fail(504, 'TIMEOUT', `the response did not begin within ${defaultTimeoutMs} ms`);
      case 'fail_stopping':
        return this.#reply.fail(503, 'ENGINE_STOPPING', 'the engine stops; try again later');
      case 'fail_dropped':
        return this.#reply.fail(500, 'invocation_stopped', 'the function dropped its response channel');
      case 'start_grace':
        this.#leaveSlot();
        return this.#startTimer(Math.min(LIMITS.httpResponseGraceMs, defaultTimeoutMs));
      case 'start_deadline':
        return this.#startTimer(defaultTimeoutMs);
      default:
        return action satisfies never;
    }
  }

  #startTimer(milliseconds: number): void {
    timersOf(this.#shared.clock).cancel(this.#timer);
    const over = () => this.#apply({ kind: 'time_over', hasWriter: this.#responseChannel?.hasWriter === true });
    this.#timer = timersOf(this.#shared.clock).once(milliseconds, over);
  }

  /**
   * Runs the exchange up to the call of the function. The exchange holds a slot only while a function works, and never while the client has
   * to send. So clients that send nothing keep nobody out. A body that is not small is received after the middleware, so that strangers
   * occupy little memory.
   */
  async #run(): Promise<void> {
    const { route } = this.#routed;
    const { slots, uploadSlots, intakes } = this.#shared;
    const { extent } = this.#body;
    const middleware = this.#shared.config.middleware.map(({ functionId }) => functionId);
    const deciding = route.binding.guest !== true;
    const json = isJson(this.#headers['content-type']);
    // Middleware of the route gets no body. It runs before the body arrives, unless a condition, which needs the body, must come first.
    const later = route.condition === undefined ? [] : route.middleware;
    const sooner = route.condition === undefined ? route.middleware : [];
    if (extent === 'small') await this.#receive();
    if (extent !== 'large' || middleware.length > 0 || sooner.length > 0) await this.#enterSlot(slots);
    // Many requests may arrive in one turn, and decoding a long query takes milliseconds.
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
    if (body.kind !== 'body') return this.#reply.failBody(body);
    if (route.condition !== undefined && !(await this.#conditionHolds(route.condition, body, deciding))) return;
    if (later.length > 0 && !(await this.#passes(later, deciding))) return;
    this.#handle(body);
  }

  /** Calls the functions one after another. Resolves with `false` if one of them has answered the request or failed. */
  async #passes(middleware: readonly string[], deciding: boolean): Promise<boolean> {
    const { request: received, parameters, query } = this.#routed;
    const request = { path_params: parameters, query_params: queryParameters(query), headers: this.#headers, method: received.method };
    const requestText = JSON.stringify(request);
    this.#apply({ kind: 'middleware_began' });
    for (const functionId of middleware) {
      const payload = JsonPayload.ofText(`{"phase":"preHandler","request":${requestText},"context":${this.#middlewareContext ?? '{}'}}`);
      const outcome = await this.#call(functionId, this.#middlewareNamespace(functionId), payload, deciding);
      if (outcome.kind === 'error') {
        this.#reply.failWith(outcome, functionId);
        return false;
      }
      const verdict = outcome.text === undefined ? undefined : objectOf(outcome.text);
      // A guest that binds a route may name its own middleware. The context of such middleware must not reach functions of others.
      if (deciding && verdict !== undefined && !this.#addContext(field(verdict, 'context'), functionId)) return false;
      if (verdict === undefined || field(verdict, 'action') !== 'respond') continue;
      const response = field(verdict, 'response');
      this.#reply.send(readResponse(isJsonObject(response) ? response : {}));
      return false;
    }
    this.#apply({ kind: 'middleware_passed' });
    return true;
  }

  /**
   * Returns the namespace of a middleware function: that of the route's function, else `default`. A guest may call only the first, so there
   * is no other for its routes.
   */
  #middlewareNamespace(functionId: string): string | undefined {
    const { namespace, guest } = this.#routed.route.binding;
    if (namespace === undefined || guest === true || this.#shared.fabric.hasFunction(functionId, namespace)) return namespace;
    return undefined;
  }

  /** Adds an object to the context for later functions. Returns `false`, and fails the request, if the context becomes too large. */
  #addContext(given: unknown, functionId: string): boolean {
    if (!isJsonObject(given)) return true;
    const before = this.#middlewareContext === undefined ? {} : objectOf(this.#middlewareContext);
    const text = JSON.stringify({ ...before, ...given });
    if (text.length > LIMITS.httpContextChars) {
      this.#reply.fail(500, 'VALUE_TOO_LARGE', `the context of middleware has more than ${LIMITS.httpContextChars} characters`, functionId);
      return false;
    }
    this.#middlewareContext = text;
    return true;
  }

  async #conditionHolds(functionId: string, body: ParsedBody, deciding: boolean): Promise<boolean> {
    const { namespace } = this.#routed.route.binding;
    const outcome = await this.#call(functionId, namespace, JsonPayload.ofText(`{${this.#requestJson(body.text)}}`), deciding);
    if (outcome.kind === 'error') {
      this.#reply.failWith(outcome, functionId);
      return false;
    }
    if (outcome.text !== 'false') return true;
    const error = { code: 'CONDITION_NOT_MET' satisfies ErrorCode, message: 'the condition of this route is not met' };
    this.#reply.send(jsonResponse(422, { error, skipped: true }));
    return false;
  }

  #handle(body: ParsedBody): void {
    const { response, route, request } = this.#routed;
    const { channels, cors, fabric } = this.#shared;
    const requestChannel = channels.create();
    const responseChannel = channels.create();
    this.#requestChannel = requestChannel;
    this.#responseChannel = responseChannel;
    this.#streamed = new StreamedResponse(response, cors, this);
    responseChannel.attachReader(this.#streamed);
    this.#body.pipe(requestChannel, (failure) => this.#reply.failBody(failure));
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
      span: this.#routed.span,
    };
    this.#apply({ kind: 'called' });
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
    const isNothing = outcome.kind === 'result' && (outcome.text === undefined || outcome.text === 'null');
    const what = outcome.kind === 'error' ? 'error' : isNothing ? 'nothing' : 'value';
    this.#apply({ kind: 'returned', what, hasWriter: this.#responseChannel?.hasWriter === true }, outcome);
  }

  #responseOf(text: JsonText): ValueResponse {
    const result = objectOf(text);
    if (result !== undefined) return readResponse(result);
    const { reported, logger } = this.#shared;
    const { route } = this.#routed;
    if (!reported.has(route)) {
      reported.add(route);
      const remedy = 'return an object with status_code, headers and body';
      logger.warn('http_result_ignored', { function: route.binding.functionId, path: route.path, remedy });
    }
    return readResponse({});
  }

  /** Calls a function. The promise stays pending if the exchange ends before the result. `deciding` has the meaning of `Call.deciding`. */
  #call(functionId: string, namespace: string | undefined, payload: JsonPayload, deciding: boolean): Promise<Outcome> {
    const { route, span } = this.#routed;
    const { metadata, workerId } = route.binding;
    const call = { functionId, namespace, payload, metadata, preferWorker: workerId, deciding, from: 'http' as const, span };
    return new Promise((resolve) => {
      if (this.#over) return;
      this.#pending = this.#shared.fabric.invoke(call, (outcome) => {
        this.#pending = undefined;
        if (!this.#over) resolve(outcome);
      });
    });
  }

  /** Receives the whole body. The promise stays pending if the exchange ends before. */
  #receive(): Promise<void> {
    return new Promise((resolve) => this.#body.receive((failure) => this.#arrived(failure, resolve)));
  }

  /** Waits for the first bytes of the body. The promise stays pending if the exchange ends before. */
  #awaitFirst(): Promise<void> {
    return new Promise((resolve) => this.#body.awaitFirst((failure) => this.#arrived(failure, resolve)));
  }

  #arrived(failure: BodyFailure | undefined, resolve: () => void): void {
    if (this.#over) return;
    if (failure === undefined) resolve();
    else this.#reply.failBody(failure);
  }

  /** Waits for a slot. The promise stays pending if the exchange ends before. */
  #enterSlot(slots: RequestSlots): Promise<void> {
    return new Promise((resolve) => {
      if (this.#over) return;
      const stopWaiting = slots.enter(() => {
        this.#slots = slots;
        resolve();
      });
      if (stopWaiting !== undefined) this.#stopWaiting = stopWaiting;
      else this.#reply.fail(503, 'OVERLOADED', `more than ${LIMITS.httpWaiting} requests wait; try again later`);
    });
  }

  #requestJson(body: JsonText): string {
    const { route, query, parameters } = this.#routed;
    const queryJson = JSON.stringify(queryParameters(query));
    const context = this.#middlewareContext === undefined ? '' : `,"context":${this.#middlewareContext}`;
    return `"query_params":${queryJson},"path_params":${JSON.stringify(parameters)},"headers":${JSON.stringify(this.#headers)},${route.fixedJson},"body":${body}${context}`;
  }

  #crashed(error: unknown): void {
    this.#shared.logger.error('http_exchange_failed', { error: error instanceof Error ? error.stack : String(error) });
    if (this.#routed.response.headersSent) this.abort();
    else this.#reply.fail(500, 'INTERNAL_ERROR', 'the engine failed; its log has the cause');
  }

  #leaveSlot(): void {
    const slots = this.#slots;
    this.#slots = undefined;
    slots?.leave();
  }

  #end(): void {
    if (this.#over) return;
    this.#reply.close();
    this.#apply({ kind: 'ended' });
    timersOf(this.#shared.clock).cancel(this.#timer);
    this.#pending?.cancel();
    this.#stopWaiting();
    this.#leaveSlot();
    this.#requestChannel?.end('writerLost');
    this.#responseChannel?.end('readerGone');
    this.#body.discard();
    this.#ended();
  }
}
