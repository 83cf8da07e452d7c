import { LIMITS } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Fabric } from '../../core/fabric/fabric.js';
import { ExpiryWatch } from '../../core/revocation/expiry-watch.js';
import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { Connection, ConnectionOwner } from '../../transport/connection.js';
import { InboundLimits } from '../../transport/rates/inbound-limits.js';
import type { PageCalls } from '../calls/page-calls.js';
import type { Hub } from '../fanout/hub.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { Leases } from '../leases/leases.js';
import { JoinLeaveTriggers } from './join-leave-triggers.js';
import { StreamSession, type StreamSessionContext } from './stream-session.js';
import { readTarget, type UpgradeTarget, withoutPrefix } from './upgrade-target.js';

export interface LiveSessionsOptions {
  readonly hub: Hub;
  readonly frames: FrameEncoder;
  readonly leases: Leases;
  /** Calls of clients that may call nothing, so each call gets an error. */
  readonly calls: PageCalls;
  readonly fabric: Fabric;
  readonly config: Pick<StreamConfig, 'maxBufferedBytes' | 'pingIntervalMs' | 'pongTimeoutMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters?: EventCounters | undefined;
}

/** Path of these sessions on the admin listener. It is the `path_prefix` of a stream client. */
export const LIVE_PATH = '/live';

/** The target of an upgrade that a session can open. */
export type LiveTarget = Extract<UpgradeTarget, { kind: 'open' | 'join' }>;

/**
 * Sessions of operators: they speak the protocol of stream clients on the admin listener, which has checked their token. They watch any
 * group. No auth function and no trigger runs for them. They get no lease and call nothing.
 *
 * They are no stream clients. So lists of sessions, disconnects by identity or id, and evictions in an outage do not reach them.
 */
export class LiveSessions {
  readonly #sessions = new Set<StreamSession>();
  readonly #context: StreamSessionContext;
  readonly #limits: InboundLimits;
  #stopped = false;
  /** Times after which a connection that answers no ping is dropped, as on the stream listener. */
  readonly pings: Pick<StreamConfig, 'pingIntervalMs' | 'pongTimeoutMs'>;
  /** Sessions that have opened. It only grows. */
  opened = 0;

  constructor({ hub, frames, leases, calls, fabric, config, clock, logger, counters }: LiveSessionsOptions) {
    this.#context = {
      hub,
      frames,
      leases,
      calls,
      // Nothing binds functions to these triggers, so each join is allowed without a call and gives no lease.
      triggers: new JoinLeaveTriggers(fabric, { failClosed: false, authenticated: false, timeoutMs: 0 }, logger),
      config: { maxBufferedBytes: config.maxBufferedBytes, maxSubscriptionsPerConnection: LIMITS.liveJoins },
      logger,
      sessions: this.#sessions,
      expiry: new ExpiryWatch(clock),
    };
    this.pings = { pingIntervalMs: config.pingIntervalMs, pongTimeoutMs: config.pongTimeoutMs };
    const rate = (perSecond: number, burst: number) => ({ perSecond, burst });
    this.#limits = new InboundLimits({
      listener: 'admin',
      requests: 'joins',
      rates: {
        requests: rate(LIMITS.liveJoinsPerSecond, 2 * LIMITS.liveJoins),
        frames: rate(LIMITS.liveFramesPerSecond, 8 * LIMITS.liveJoins),
        bytes: rate(LIMITS.liveInboundBytes, 4 * LIMITS.clientMessageBytes),
      },
      counters,
      clock,
      logger,
    });
  }

  /** Number of sessions that are open now. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Whether the engine stops, so that no session opens any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Reads what an upgrade joins. `path` begins with `LIVE_PATH`. */
  readTarget(path: string, rawQuery: string): UpgradeTarget {
    return readTarget(withoutPrefix(path, LIVE_PATH), rawQuery);
  }

  /** Opens the session of a new connection. */
  open(connection: Connection, target: LiveTarget): ConnectionOwner {
    this.opened++;
    const meter = this.#limits.meter(undefined, connection.remoteAddress);
    const session = new StreamSession(this.#context, connection, { now: OPERATOR }, meter);
    if (target.kind === 'join') session.joinByPath(target);
    return session;
  }

  /** Closes all sessions with 1012. No session opens any more. */
  stop(): void {
    this.#stopped = true;
    for (const session of this.#sessions) session.restart();
    this.#limits.close();
  }
}

/** The access of an operator. It has no identity, and never ends. */
const OPERATOR = { kind: 'allowed', context: null, expiresAtMs: undefined } as const;
