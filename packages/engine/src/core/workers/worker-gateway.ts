import { encodeAuthError, LIMITS } from '@rivulet/protocol';
import type { WorkerManagerConfig } from '../../config/config.js';
import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Clock } from '../../structures/clock.js';
import type { DescriptorReserve } from '../../transport/admission/descriptor-reserve.js';
import { Listener, type Verdict } from '../../transport/listener.js';
import { InboundLimits, rateOf } from '../../transport/rates/inbound-limits.js';
import type { InboundRates } from '../../transport/rates/inbound-meter.js';
import type { UnfinishedMessages } from '../../transport/unfinished-messages.js';
import { isLoopbackOrigin } from '../../transport/upgrade/origin-check.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { Channels } from '../channels/channels.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import { ExpiryWatch } from '../revocation/expiry-watch.js';
import type { SessionDirectory } from '../revocation/session-directory.js';
import { type GuestAdmission, ListenerAccess } from './access/listener-access.js';
import { WorkerToken } from './access/worker-token.js';
import type { RegistrationBudgets } from './registration-budget.js';
import type { WorkerContext } from './worker-context.js';
import type { WorkerRegistry } from './worker-registry.js';
import { WorkerSession } from './worker-session.js';

export interface WorkerGatewayOptions {
  readonly config: WorkerManagerConfig;
  readonly fabric: FunctionFabric;
  readonly workers: WorkerRegistry<WorkerSession>;
  readonly channels: Channels;
  /** Bounds for the registrations of all listeners together. */
  readonly budgets?: RegistrationBudgets;
  /** Functions that decide who gets in, of all listeners. */
  readonly guards: ReadonlySet<string>;
  readonly sessions: SessionDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters?: EventCounters;
  readonly descriptors?: DescriptorReserve;
  /** Bounds the unfinished messages of all listeners of this kind. */
  readonly unfinished: UnfinishedMessages;
}

const AUTH_ERROR = encodeTextFrame(encodeAuthError('the auth function of this listener refused these credentials'));

/**
 * One listener of `rivulet-worker-manager`. It serves worker sockets on `/`, the telemetry sink on `/otel`, and channels on
 * `/ws/channels/{id}`.
 */
export class WorkerGateway {
  readonly #options: WorkerGatewayOptions;
  readonly #context: WorkerContext<WorkerSession>;
  readonly #listener: Listener;
  readonly #sessions = new Set<WorkerSession>();
  readonly #limits: InboundLimits;
  #stopping = false;
  readonly #access: ListenerAccess | undefined;
  readonly #token: WorkerToken | undefined;
  readonly #refusedTokens: RepeatedLine;
  readonly #refusedOrigins: RepeatedLine;
  #waiting: (() => void) | undefined;

  constructor(options: WorkerGatewayOptions) {
    const { config, clock, logger } = options;
    this.#options = options;
    this.#refusedTokens = new RepeatedLine(clock);
    this.#refusedOrigins = new RepeatedLine(clock);
    this.#context = {
      fabric: options.fabric,
      workers: options.workers,
      channels: options.channels,
      sessions: options.sessions,
      expiry: new ExpiryWatch(clock),
      budgets: options.budgets,
      maxInFlightCalls: config.maxInFlightCalls,
      maxMessageBytes: config.maxMessageBytes,
      middlewareFunction: config.middlewareFunction,
      exposeErrorMessages: config.exposeErrorMessages,
      clock,
      logger,
    };
    const { rbac } = config;
    if (config.authToken !== undefined) this.#token = new WorkerToken(config.authToken);
    if (rbac !== undefined)
      this.#access = new ListenerAccess({
        ...options,
        rbac,
        allowedOrigins: config.allowedOrigins,
        listener: `${config.host}:${config.port}`,
      });
    this.#limits = new InboundLimits({
      listener: 'worker',
      rates: ratesOf(config),
      requests: 'calls',
      counters: options.counters,
      clock,
      logger,
    });
    this.#listener = new Listener({
      name: 'worker',
      host: config.host,
      port: config.port,
      trustedProxies: config.trustedProxies,
      plain: { listener: rbac === undefined ? 'worker' : 'guest', paths: ['/'], status: 426 },
      hosts: { allowed: config.allowedHosts, guardsLoopback: rbac === undefined },
      maxMessageBytes: config.maxMessageBytes,
      headersTimeoutMs: config.handshakeTimeoutMs,
      pingIntervalMs: config.pingIntervalMs,
      pongTimeoutMs: config.pongTimeoutMs,
      // A worker that hangs is dropped soon: another worker may serve its functions, and their callers wait.
      spareSlowReaders: false,
      route: (request) => this.#route(request),
      clock,
      logger,
      ...(options.counters === undefined ? {} : { counters: options.counters }),
      ...(options.descriptors === undefined ? {} : { descriptors: options.descriptors }),
    });
  }

  /** The check of tokens; `undefined` when the listener has none. */
  get jwt(): ListenerAccess['jwt'] {
    return this.#access?.jwt;
  }

  /** Address and port of the configuration, by which a listener is known. */
  get configured(): Pick<WorkerManagerConfig, 'host' | 'port'> {
    return this.#options.config;
  }

  /** Times that the engine paused a connection because it sent more than its rates allow. */
  get rateLimited(): number {
    return this.#limits.pauses;
  }

  listen(): Promise<{ readonly host: string; readonly port: number }> {
    return this.#listener.listen();
  }

  /** Refuses new workers with 503 from now on. Channels still open, because calls in flight may need them. */
  stopAccepting(): void {
    this.#stopping = true;
  }

  /**
   * Waits until the calls in flight have ended, with those that they make meanwhile. No session closes yet: a worker is needed until the
   * callers of its functions have their answers.
   */
  async drain(): Promise<void> {
    const { clock } = this.#options;
    const until = clock.monotonic() + LIMITS.drainMs;
    let inTime: boolean;
    do {
      const left = Math.max(1, until - clock.monotonic());
      const ends = await Promise.all([...this.#sessions].map((session) => session.drain(left)));
      inTime = ends.every(Boolean);
    } while (inTime && [...this.#sessions].some((session) => session.requestedCalls > 0));
  }

  /** Closes every worker with 1012, then closes the port. */
  async close(): Promise<void> {
    this.#listener.stopAccepting();
    for (const session of this.#sessions) session.restart();
    await this.#closed();
    this.#limits.close();
    this.#access?.jwt?.close();
    await this.#listener.close();
  }

  /** Resolves when each worker has received everything that was sent to it before. */
  roundTrip(): Promise<void> {
    return this.#listener.roundTrip();
  }

  #route(request: UpgradeRequest): Verdict | Promise<Verdict> {
    if (!this.#originAllowed(request)) {
      const { logger } = this.#options;
      this.#refusedOrigins.add((times) => logger.warn('origin_refused', { listener: 'worker', address: request.remoteAddress, times }));
      return { kind: 'refuse', status: 403 };
    }
    const channel = this.#options.channels.route(request);
    if (channel !== undefined) return channel;
    if (this.#stopping) return { kind: 'refuse', status: 503 };
    const protocol = request.protocols[0];
    // Exporters send no credentials, so the sink asks for none. A refused exporter would reconnect for ever and print each attempt (spec WP
    // §1.14).
    if (request.path === '/otel' || request.path === '/otel/') return { kind: 'sink', protocol };
    if (request.path !== '/' && request.path !== '') return { kind: 'refuse', status: 404 };
    if (this.#access !== undefined) return this.#decide(request, this.#access);
    return this.#tokenAllows(request) ? this.#accept(request) : { kind: 'refuse', status: 401 };
  }

  async #decide(request: UpgradeRequest, access: ListenerAccess): Promise<Verdict> {
    const protocol = request.protocols[0];
    const entry = await access.decide(request);
    if (entry.kind === 'granted')
      return this.#stopping ? { kind: 'refuse', status: 503 } : this.#accept(request, entry.admission, entry.revoked);
    if (!access.errorFrame) return { kind: 'refuse', status: entry.status };
    const close = entry.status === 503 ? 'tryLater' : 'refused';
    return { kind: 'accept_then_close', protocol, close, frame: AUTH_ERROR };
  }

  #accept({ protocols, remoteAddress }: UpgradeRequest, admission?: GuestAdmission, revoked: () => boolean = () => false): Verdict {
    return {
      kind: 'accept',
      protocol: protocols[0],
      open: (connection) => {
        this.#options.unfinished.watch(connection);
        const meter = this.#limits.meter(admission?.access.grant.identity, remoteAddress);
        const session: WorkerSession = new WorkerSession(this.#context, connection, () => this.#onSessionEnded(session), admission, meter);
        this.#sessions.add(session);
        session.begin();
        // An operator withdrew the access while the auth function decided.
        if (revoked()) session.revoke();
        return session;
      },
    };
  }

  /**
   * Returns whether the `Origin` of an upgrade is allowed. Other programs send none. A listener without an auth function or
   * tokens takes pages of this machine and of allowed origins. A listener with one takes pages of every origin, unless origins are listed.
   */
  #originAllowed(request: UpgradeRequest): boolean {
    const { origin } = request.headers;
    const { allowedOrigins, rbac } = this.#options.config;
    if (origin === undefined || allowedOrigins.includes(origin)) return true;
    if (rbac?.authFunction !== undefined || rbac?.jwt !== undefined) return allowedOrigins.length === 0;
    // oxlint-disable-next-line eslint/no-restricted-globals -- canParse decides before the constructor runs
    return isLoopbackOrigin(origin);
  }

  #tokenAllows(request: UpgradeRequest): boolean {
    const check = this.#token?.check(request) ?? 'right';
    if (check === 'right') return true;
    const { logger } = this.#options;
    const fields = { reason: check, address: request.remoteAddress };
    this.#refusedTokens.add((times) => logger.warn('worker_token_refused', { ...fields, times }));
    return false;
  }

  #onSessionEnded(session: WorkerSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#waiting?.();
  }

  /** Resolves when all sessions have closed, or after one second. */
  async #closed(): Promise<void> {
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1_000);
      this.#waiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Default rates for guests, in a second. Trusted workers have no rates. */
const GUEST_FRAMES = 2_000;
const GUEST_CALLS = 1_000;
const GUEST_BYTES = 8_388_608;

function ratesOf(config: WorkerManagerConfig): InboundRates {
  const guests = config.rbac !== undefined;
  const frames = config.maxFramesPerSecond ?? (guests ? GUEST_FRAMES : 0);
  const calls = config.maxCallsPerSecond ?? (guests ? GUEST_CALLS : 0);
  const bytes = config.maxBytesPerSecond ?? (guests ? GUEST_BYTES : 0);
  return {
    frames: rateOf(frames, 5 * frames),
    requests: rateOf(calls, 5 * calls),
    bytes: rateOf(bytes, Math.max(4 * config.maxMessageBytes, 2 * bytes)),
  };
}
