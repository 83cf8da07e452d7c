import { LIMITS } from '@rivulet/protocol';
import type { WorkerManagerConfig } from '../config/config.js';
import type { Logger } from '../logging/logger.js';
import type { Clock } from '../structures/clock.js';
import type { ConnectionOwner } from '../transport/connection.js';
import { Listener, type UpgradeRequest, type Verdict } from '../transport/listener.js';
import type { FunctionFabric } from './function-fabric.js';
import type { WorkerRegistry } from './worker-registry.js';
import { type WorkerRoom, WorkerSession } from './worker-session.js';

export interface WorkerGatewayOptions {
  readonly config: WorkerManagerConfig;
  readonly fabric: FunctionFabric;
  readonly workers: WorkerRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Telemetry is accepted and dropped: an exporter that is refused reconnects for ever and prints each time (spec WP §1.14). */
const TELEMETRY_SINK: ConnectionOwner = { onText() {}, onBinary() {}, onDrain() {}, onClose() {} };

/** One worker-manager listener: worker sockets on `/`, the telemetry sink on `/otel`, nothing else. */
export class WorkerGateway {
  readonly #options: WorkerGatewayOptions;
  readonly #room: WorkerRoom;
  readonly #listener: Listener;
  readonly #sessions = new Set<WorkerSession>();
  #waiting: (() => void) | undefined;

  constructor(options: WorkerGatewayOptions) {
    const { config, clock, logger } = options;
    this.#options = options;
    this.#room = {
      fabric: options.fabric,
      workers: options.workers,
      maxInFlightCalls: config.maxInFlightCalls,
      maxMessageBytes: config.maxMessageBytes,
      clock,
      logger,
    };
    this.#listener = new Listener({
      name: 'worker',
      host: config.host,
      port: config.port,
      maxMessageBytes: config.maxMessageBytes,
      headersTimeoutMs: Math.min(config.handshakeTimeoutMs, 5_000),
      pingIntervalMs: config.pingIntervalMs,
      pongTimeoutMs: config.pongTimeoutMs,
      // Its functions are needed: somebody else may serve them, and their callers wait.
      spareSlowReaders: false,
      route: (request) => this.#route(request),
      clock,
      logger,
    });
  }

  listen(): Promise<{ readonly host: string; readonly port: number }> {
    return this.#listener.listen();
  }

  stopAccepting(): void {
    this.#listener.stopAccepting();
  }

  /**
   * Lets the calls in flight end, and those that they make meanwhile. A worker is needed until the callers of its functions have their
   * answers, so nobody is closed yet.
   */
  async drain(): Promise<void> {
    const { clock } = this.#options;
    const until = clock.monotonic() + LIMITS.drainMs;
    let inTime: boolean;
    do {
      const left = Math.max(1, until - clock.monotonic());
      const ends = await Promise.all([...this.#sessions].map((session) => session.drain(left)));
      inTime = ends.every(Boolean);
    } while (inTime && [...this.#sessions].some((session) => session.madeCalls > 0));
  }

  /** Closes every worker with 1012, then the port. */
  async close(): Promise<void> {
    for (const session of this.#sessions) session.restart();
    await this.#closed();
    await this.#listener.close();
  }

  #route(request: UpgradeRequest): Verdict {
    if (this.#options.config.gated) return { kind: 'refuse', status: 503 };
    if (!this.#originAllowed(request)) {
      this.#options.logger.warn('origin_refused', { listener: 'worker', address: request.remoteAddress });
      return { kind: 'refuse', status: 403 };
    }
    const protocol = request.protocols[0];
    if (request.path === '/otel' || request.path === '/otel/') return { kind: 'accept', protocol, open: () => TELEMETRY_SINK };
    if (request.path !== '/' && request.path !== '') return { kind: 'refuse', status: 404 };
    return {
      kind: 'accept',
      protocol,
      open: (connection) => {
        const session: WorkerSession = new WorkerSession(this.#room, connection, () => this.#gone(session));
        this.#sessions.add(session);
        return session;
      },
    };
  }

  /** A page may reach a trusted port only from this machine or from an allowed origin; other programs send no Origin. */
  #originAllowed(request: UpgradeRequest): boolean {
    const { origin } = request.headers;
    if (origin === undefined || this.#options.config.allowedOrigins.includes(origin)) return true;
    return URL.canParse(origin) && LOOPBACK.has(new URL(origin).hostname);
  }

  #gone(session: WorkerSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#waiting?.();
  }

  /** Close frames have been answered, or a second has passed. */
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

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
