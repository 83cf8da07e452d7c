import { type CloseName, LIMITS } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import { SessionDirectory } from '../../core/revocation/session-directory.js';
import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { Rate } from '../../structures/token-bucket.js';
import type { DescriptorReserve } from '../../transport/admission/descriptor-reserve.js';
import { Listener, type Verdict } from '../../transport/listener.js';
import type { PlainRequest } from '../../transport/plain/plain-requests.js';
import { InboundLimits, rateOf } from '../../transport/rates/inbound-limits.js';
import type { InboundRates } from '../../transport/rates/inbound-meter.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';
import { type AuthDecision, type AuthGate, NOT_REGISTERED } from './auth-gate.js';
import { decideAgain, REVOKED } from './session-auth.js';
import { StreamSession, type StreamSessionContext } from './stream-session.js';
import { plainPaths, readTarget, withoutPrefix } from './upgrade-target.js';

export interface StreamGatewayOptions {
  readonly config: StreamConfig;
  readonly auth: AuthGate;
  readonly sessionContext: StreamSessionContext;
  /** Milliseconds without the store after which new clients are refused. @default LIMITS.outageRefuseMs */
  readonly refuseMs?: number | undefined;
  /** Answers plain requests. Absent where nothing reads by plain HTTP. */
  readonly reading?: PlainReading | undefined;
  /** Answers calls by plain requests. Absent where nothing can be called. */
  readonly posted?: PlainCalls | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters?: EventCounters;
  readonly descriptors?: DescriptorReserve;
}

/** Reads by plain requests, as the gateway uses them. */
export interface PlainReading {
  /** Answers a request. Returns false when it is none of these reads. */
  handle(plain: PlainRequest): boolean;
  /** Ends the reads that wait, because the engine stops. Resolves when the answers were sent, or after a moment. */
  stop(): Promise<void>;
}

/** Calls by plain requests, as the gateway uses them. */
export interface PlainCalls {
  /** Answers a request. Returns false when it is no call. */
  handle(plain: PlainRequest, takeCall: (identity: string | undefined, address: string) => boolean): boolean;
  /** Resolves when the calls have their answers, or after a while. */
  stop(): Promise<void>;
}

/** Connections that a stop closes in a second, at least. */
const CLOSED_PER_SECOND = 1_000;
/** Seconds in `Retry-After` when the store is unavailable. */
const RETRY_AFTER_S = 5;

/** The stream listener: `/` and `/stream/{name}/{group}` (spec ST §2.3). */
export class StreamGateway {
  readonly #options: StreamGatewayOptions;
  readonly #listener: Listener;
  readonly #sessions: Set<StreamSession>;
  readonly #sessionContext: StreamSessionContext;
  readonly #directory: SessionDirectory;
  readonly #limits: InboundLimits;
  /** Number of WebSockets that have connected. It only grows. */
  opened = 0;

  constructor(options: StreamGatewayOptions) {
    const { config, clock, logger } = options;
    this.#options = options;
    this.#directory = options.sessionContext.directory ?? new SessionDirectory();
    this.#sessions = options.sessionContext.sessions;
    this.#sessionContext = { ...options.sessionContext, directory: this.#directory };
    this.#limits = new InboundLimits({
      listener: 'stream',
      rates: ratesOf(config),
      requests: 'joins',
      calls: callRateOf(config),
      counters: options.counters,
      clock,
      logger,
    });
    this.#listener = new Listener({
      name: 'stream',
      host: config.host,
      port: config.port,
      trustedProxies: config.trustedProxies,
      plain: { listener: 'stream', paths: plainPaths(config.pathPrefix), status: 200 },
      handler: options.reading === undefined ? undefined : (plain) => this.#answerPlain(plain),
      hosts: { allowed: config.allowedHosts, guardsLoopback: false },
      maxMessageBytes: config.maxMessageBytes,
      headersTimeoutMs: 5_000,
      pingIntervalMs: config.pingIntervalMs,
      pongTimeoutMs: config.pongTimeoutMs,
      spareSlowReaders: true,
      route: (request) => this.#route({ ...request, path: withoutPrefix(request.path, config.pathPrefix) }),
      clock,
      logger,
      ...(options.counters === undefined ? {} : { counters: options.counters }),
      ...(options.descriptors === undefined ? {} : { descriptors: options.descriptors }),
    });
  }

  /** Number of pauses of clients that sent more than their rates allow. It only grows. */
  get rateLimited(): number {
    return this.#limits.pauses;
  }

  /** Sessions that are open now. */
  get sessions(): ReadonlySet<StreamSession> {
    return this.#sessions;
  }

  listen(): Promise<{ readonly host: string; readonly port: number }> {
    return this.#listener.listen();
  }

  /**
   * Stops accepting after the drain delay, and closes the sessions with 1012. The closes are spread, so that the clients do not all return
   * at once.
   */
  async stop(): Promise<void> {
    const { drainDelayMs, drainSpreadMs } = this.#options.config;
    if (this.#sessions.size > 0) await pause(drainDelayMs);
    this.#listener.stopAccepting();
    const { calls } = this.#sessionContext;
    calls?.refuseAll();
    const posted = this.#options.posted?.stop();
    const callsEndBy = performance.now() + LIMITS.callDrainMs;
    await this.#options.reading?.stop();
    const perTurn = Math.max(CLOSED_PER_SECOND, (this.#sessions.size * 1_000) / Math.max(1, drainSpreadMs)) / 20;
    while (this.#sessions.size > 0) {
      let closed = 0;
      for (const session of this.#sessions) {
        // Its client gets the answers first.
        if (session.unansweredCalls > 0 && performance.now() < callsEndBy) continue;
        session.restart();
        this.#sessions.delete(session);
        if (++closed >= perTurn) break;
      }
      await pause(50);
    }
    await posted;
    this.#limits.close();
    await this.#listener.close();
  }

  /** Resolves when each client has received everything that was sent to it before. */
  roundTrip(): Promise<void> {
    return this.#listener.roundTrip();
  }

  #answerPlain(plain: PlainRequest): boolean {
    const { reading, posted } = this.#options;
    return posted?.handle(plain, (...of) => this.#limits.takeCall(...of)) === true || reading?.handle(plain) === true;
  }

  async #route(request: UpgradeRequest): Promise<Verdict> {
    const target = readTarget(request.path, request.rawQuery);
    if (target.kind === 'unknown') return { kind: 'refuse', status: 404 };
    if (target.kind === 'invalid') return { kind: 'refuse', status: 400 };
    const isUnavailable = this.#sessionContext.hub.storeUnavailableMs > (this.#options.refuseMs ?? LIMITS.outageRefuseMs);
    const protocol = request.protocols.includes('Authorization') ? 'Authorization' : request.protocols[0];
    // Another engine may reach the store. A load balancer, or the next attempt of the client, finds it.
    const { why } = this.#sessionContext;
    const address = request.remoteAddress;
    if (isUnavailable) why?.upgradeRefused({ identity: undefined, address, by: 'engine', reason: 'store_unavailable' });
    if (isUnavailable && this.#options.config.authRejectMode === 'http') return { kind: 'refuse', status: 503, retryAfterS: RETRY_AFTER_S };
    if (isUnavailable) return { kind: 'accept_then_close', protocol, close: 'notAdmitted' };
    const { answer, revoked } = await this.#directory.ask(() => this.#options.auth.decide(request));
    const decision = answer.kind === 'allowed' && revoked(answer.identity) ? REVOKED : answer;
    if (decision.kind === 'refused') {
      // The auth gate has recorded its own refusals.
      if (decision === REVOKED) why?.upgradeRefused({ identity: answer.identity, address, by: 'operator', reason: 'revoked' });
      if (this.#options.config.authRejectMode === 'http') return { kind: 'refuse', status: decision.status };
      return { kind: 'accept_then_close', protocol, close: closeBefore(decision) };
    }
    return {
      kind: 'accept',
      protocol,
      open: (connection) => {
        this.opened++;
        const { auth } = this.#options;
        const renewal = auth.authenticates ? { decideAgain: decideAgain(auth, request, this.#directory) } : {};
        const meter = this.#limits.meter(decision.identity, request.remoteAddress);
        const session = new StreamSession(this.#sessionContext, connection, { now: decision, ...renewal }, meter);
        // An operator has disconnected the identity while the auth function decided.
        if (revoked(decision.identity)) session.revoke();
        if (target.kind === 'join') session.joinByPath(target);
        return session;
      },
    };
  }
}

/** Returns how a connection ends that was never admitted. Its client learns that nothing of what it sent was read. */
function closeBefore({ close, reason }: Extract<AuthDecision, { kind: 'refused' }>): CloseName {
  if (close !== 'tryLater') return close;
  return reason === NOT_REGISTERED ? 'unattended' : 'notAdmitted';
}

/** Returns the rates of one stream client. The bursts allow two joins of every subscription that the client may have, in small frames. */
function ratesOf(config: StreamConfig): InboundRates {
  const { maxJoinsPerSecond, maxFramesPerSecond, maxBytesPerSecond } = config;
  const joins = Math.max(2 * config.maxSubscriptionsPerConnection, 5 * maxJoinsPerSecond);
  return {
    requests: rateOf(maxJoinsPerSecond, joins),
    frames: rateOf(maxFramesPerSecond, Math.max(4 * joins, 5 * maxFramesPerSecond)),
    bytes: rateOf(maxBytesPerSecond, Math.max(2_048 * joins, 4 * config.maxMessageBytes, 5 * maxBytesPerSecond)),
  };
}

/** Returns the rate of the calls of one stream client. The burst allows all calls that a client may have in flight, twice. */
function callRateOf({ maxCallsPerSecond: perSecond }: StreamConfig): Rate | undefined {
  return rateOf(perSecond, Math.max(2 * LIMITS.clientInFlightCalls, 5 * perSecond));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
