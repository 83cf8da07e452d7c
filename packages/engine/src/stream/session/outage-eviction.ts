import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';

/** A connection that an outage may have made useless. */
export interface EvictableConnection {
  /**
   * Monotonic milliseconds since which all that it watches is unavailable; `undefined` while something is available, or nothing is watched.
   */
  readonly unavailableSince: number | undefined;
  /** Closes the connection, so that the client connects to another engine. */
  evict(): void;
}

export interface OutageTimes {
  /** Milliseconds for which a connection is kept. @default LIMITS.outageKeepMs */
  readonly keepMs?: number | undefined;
  /** Milliseconds after that over which the closes are spread. @default LIMITS.outageSpreadMs */
  readonly spreadMs?: number | undefined;
  /** Milliseconds without the store after which new connections are refused. @default LIMITS.outageRefuseMs */
  readonly refuseMs?: number | undefined;
}

export interface OutageEvictionOptions extends OutageTimes {
  readonly connections: () => Iterable<EvictableConnection>;
  readonly clock: Clock;
  /** Returns a number in [0, 1). @default Math.random */
  readonly random?: () => number;
  readonly logger: Logger;
}

/** Milliseconds between two checks, at most. The precision of `keepMs` is one check. */
const MOST_CHECK_MS = 500;

/**
 * Closes connections whose groups have been unavailable for `keepMs`, each at a random moment of the spread. Otherwise all clients would
 * connect to another engine at once. It checks only while something is unavailable.
 */
export class OutageEviction {
  readonly #options: OutageEvictionOptions;
  readonly #keepMs: number;
  readonly #spreadMs: number;
  readonly #checkMs: number;
  #timer: NodeJS.Timeout | undefined;
  #checkedAt = 0;
  #warned = false;

  constructor(options: OutageEvictionOptions) {
    this.#options = options;
    this.#keepMs = options.keepMs ?? LIMITS.outageKeepMs;
    this.#spreadMs = options.spreadMs ?? LIMITS.outageSpreadMs;
    this.#checkMs = Math.max(1, Math.min(MOST_CHECK_MS, this.#spreadMs / 20));
  }

  /** Begins to check, because something is unavailable. */
  begin(): void {
    if (this.#timer !== undefined) return;
    this.#warned = false;
    this.#checkedAt = this.#options.clock.monotonic();
    this.#timer = setInterval(() => this.check(), this.#checkMs);
    this.#timer.unref();
  }

  /** Ends the checks, because everything is available again. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Closes the connections whose time has come. */
  check(): void {
    const { clock, connections } = this.#options;
    const now = clock.monotonic();
    const passed = now - this.#checkedAt;
    this.#checkedAt = now;
    for (const connection of Array.from(connections())) {
      const since = connection.unavailableSince;
      if (since === undefined || !this.#isOver(now - since - this.#keepMs, passed)) continue;
      this.#warn();
      connection.evict();
    }
  }

  /**
   * Returns whether a connection is closed now. The chance makes every moment of the spread equally likely, and needs no memory for each
   * connection. `lateMs`: time since the spread began; `passedMs`: time since the last check.
   */
  #isOver(lateMs: number, passedMs: number): boolean {
    if (lateMs < 0) return false;
    const begun = Math.min(passedMs, lateMs);
    const left = this.#spreadMs - (lateMs - begun);
    return begun >= left || (this.#options.random ?? Math.random)() < begun / left;
  }

  #warn(): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#options.logger.warn('stream_clients_sent_away', {
      reason: `the store of what they watch has been unavailable for ${this.#keepMs / 1_000} s`,
      consequence: `their connections close with 1013 within ${this.#spreadMs / 1_000} s; logged once until it is available`,
    });
  }
}
