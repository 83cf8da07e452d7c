import type { ServerResponse } from 'node:http';
import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { HttpConfig } from '../config/config.js';
import type { Channels } from '../core/channels/channels.js';
import type { Fabric, TriggerBinding, TriggerProvider } from '../core/fabric/fabric.js';
import type { Span } from '../core/fabric/tracing.js';
import type { EventCounters } from '../logging/event-counters.js';
import type { Logger } from '../logging/logger.js';
import type { Clock } from '../structures/clock.js';
import type { DescriptorReserve } from '../transport/admission/descriptor-reserve.js';
import { UnsentResponses } from '../transport/plain/unsent-responses.js';
import { isHostAllowed } from '../transport/upgrade/host-check.js';
import { Exchange } from './exchange.js';
import type { ExchangeContext } from './exchange-context.js';
import type { HttpFigures } from './http-figures.js';
import { HttpListener } from './http-listener.js';
import { BodyIntake } from './request/body-intake.js';
import type { HttpRequest } from './request/http-request.js';
import { readRequestTarget, withoutPrefix } from './request/request-target.js';
import { RequestSlots } from './request-slots.js';
import { requestSpan } from './request-span.js';
import { Cors } from './response/cors.js';
import { jsonResponse } from './response/response-value.js';
import { sendValue } from './response/send-value.js';
import { type Route, readRoute } from './routes/route.js';
import { routeConfig } from './routes/route-schemas.js';
import { type RouteMatch, RouteTable } from './routes/route-table.js';

export interface HttpModuleOptions {
  readonly config: HttpConfig;
  readonly fabric: Fabric;
  readonly channels: Channels;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: EventCounters;
  readonly descriptors: DescriptorReserve;
}

/** Serves `http` triggers: it owns the port, the routes and the open requests (spec HT). */
export class HttpModule implements TriggerProvider {
  readonly #context: ExchangeContext;
  readonly #listener: HttpListener;
  readonly #table = new RouteTable();
  /** Routes of guest sessions. They serve only requests that no other route serves. */
  readonly #guest = new RouteTable();
  readonly #routes = new Map<TriggerBinding, Route>();
  readonly #exchanges = new Set<Exchange>();

  constructor({ config, fabric, channels, clock, logger, counters, descriptors }: HttpModuleOptions) {
    const uploadSlots = new RequestSlots(config.concurrentRequests, LIMITS.httpWaiting);
    const intakes = {
      held: new BodyIntake(LIMITS.httpBodiesBytes, clock),
      streamed: new BodyIntake(0, clock, () => uploadSlots.waiting),
    };
    const unsent = new UnsentResponses(LIMITS.httpUnsentBytes, clock);
    const slots = new RequestSlots(config.concurrentRequests, LIMITS.httpWaiting);
    this.#context = {
      config,
      fabric,
      channels,
      cors: new Cors(config.cors),
      slots,
      uploadSlots,
      intakes,
      unsent,
      clock,
      logger,
      stopping: false,
      reported: new WeakSet(),
    };
    this.#listener = new HttpListener({
      config,
      logger,
      counters,
      descriptors,
      onRequest: (request) => this.#receive(request),
    });
    fabric.provideTriggerType('http', 'Calls a function for each HTTP request of a method and path.', this, routeConfig);
  }

  /** Number of requests that have no answer yet. */
  get requests(): number {
    return this.#exchanges.size;
  }

  /** Counts of the requests that have ended. */
  get figures(): HttpFigures {
    return this.#listener.figures;
  }

  listen(): Promise<{ readonly host: string; readonly port: number }> {
    return this.#listener.listen();
  }

  // Methods of TriggerProvider.

  register(binding: TriggerBinding): void {
    const route = readRoute(binding);
    this.#tableOf(binding).add(route);
    this.#routes.set(binding, route);
  }

  unregister(binding: TriggerBinding): void {
    const route = this.#routes.get(binding);
    if (route === undefined) return;
    this.#routes.delete(binding);
    this.#tableOf(binding).remove(route);
  }

  /** Stops accepting requests: open connections get 503. Event streams never end by themselves, so they are cut off. */
  stopAccepting(): void {
    this.#context.stopping = true;
    this.#listener.stopAccepting();
    for (const exchange of this.#exchanges) if (exchange.endless) exchange.abort();
  }

  /** Resolves when all open requests have been answered and the answers sent, or after `LIMITS.drainMs`. */
  async drain(): Promise<void> {
    const unsent = await this.#listener.drain(LIMITS.drainMs);
    if (unsent > 0) this.#context.logger.warn('requests_cut_off', { requests: unsent });
  }

  /** Drops everything that is still open. */
  async close(): Promise<void> {
    for (const exchange of this.#exchanges) exchange.abort();
    await this.#listener.close();
    this.#context.intakes.held.close();
    this.#context.intakes.streamed.close();
  }

  /** An error that a request causes ends its connection and nothing else. */
  #receive(http: HttpRequest): void {
    const { request, response } = http;
    response.on('error', () => {});
    request.on('error', () => {});
    try {
      const { tracing } = this.#context.fabric;
      this.#serve(http, tracing === undefined ? undefined : requestSpan(tracing, http));
    } catch (error) {
      this.#context.logger.error('http_exchange_failed', { error: error instanceof Error ? error.stack : String(error) });
      request.socket.destroy();
    }
  }

  #serve(http: HttpRequest, span: Span | undefined): void {
    const { request, response } = http;
    const { cors, config } = this.#context;
    if (!isHostAllowed(request, { allowed: config.allowedHosts, guardsLoopback: false }, ''))
      return this.#refuse(response, 403, 'HOST_NOT_ALLOWED', 'this Host is not in allowed_hosts of rivulet-http');
    cors.apply(request, response);
    if (request.rawHeaders.length > LIMITS.httpHeaders * 2)
      return this.#refuse(response, 431, 'HEADERS_TOO_LARGE', `a request may have ${LIMITS.httpHeaders} headers`);
    if (request.headers.upgrade?.toLowerCase() === 'websocket')
      return this.#refuse(response, 400, 'INVALID_ARGUMENTS', 'this port answers HTTP requests; connect WebSockets to the stream port');
    if (this.#context.stopping) return this.#refuse(response, 503, 'ENGINE_STOPPING', 'the engine stops; try again later');
    if (cors.preflight(request, response)) return;
    const { path, query } = readRequestTarget(request.url ?? '/');
    const match = this.#match(request.method ?? 'GET', withoutPrefix(path, this.#context.config.pathPrefix));
    if (match.kind === 'none') return this.#refuse(response, 404, 'NOT_FOUND', 'Not Found');
    if (match.kind === 'wrong_method') {
      // oxlint-disable-next-line eslint/no-restricted-properties -- methods come from a closed list
      response.writeHead(405, { allow: match.methods.join(', '), 'content-length': 0 });
      response.end();
      return;
    }
    const { route, parameters } = match;
    if (route.binding.guest !== true) span?.setRoute(route.path);
    const exchange: Exchange = new Exchange(this.#context, { ...http, route, query, parameters, span }, () => {
      this.#exchanges.delete(exchange);
    });
    this.#exchanges.add(exchange);
    exchange.begin();
  }

  #tableOf(binding: TriggerBinding): RouteTable {
    return binding.guest ? this.#guest : this.#table;
  }

  #match(method: string, path: string): RouteMatch {
    const match = this.#table.match(method, path);
    return match.kind === 'none' ? this.#guest.match(method, path) : match;
  }

  #refuse(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
    sendValue(response, jsonResponse(status, { error: { code, message } }), this.#context.cors);
  }
}
