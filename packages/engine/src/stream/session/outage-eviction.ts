import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';

/** A connection that may have become of no use. */
export interface EvictableConnection {
  /** Monotonic milliseconds since which nothing that it watches can be reached; `undefined`: something can, or it watches nothing. */
  readonly unavailableSince: number | undefined;
  /** Ends the connection, so that its client goes to another engine. */
  evict(): void;
}

export interface OutageTimes {
  /** Milliseconds for which a connection is kept. Default `LIMITS.cutOffMs`. */
  readonly keepMs?: number | undefined;
  /** Milliseconds over which the ends are spread behind that. Default `LIMITS.cutOffSpreadMs`. */
  readonly spreadMs?: number | undefined;
  /** Milliseconds without the store after which no more are taken. Default `LIMITS.cutOffRefuseMs`. */
  readonly refuseMs?: number | undefined;
}

export interface OutageEvictionOptions extends OutageTimes {
  readonly connections: () => Iterable<EvictableConnection>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly logger: Logger;
}

/** Half of what is left to notice that a connection is over in time, at most. */
const MOST_LOOK_MS = 500;

/**
 * Sends clients away that have been cut off for long, each anywhere within the spread, so that they don't all come to another engine at once.
 * It looks only while something is away.
 */
export class OutageEviction {
  readonly #options: OutageEvictionOptions;
  readonly #keepMs: number;
  readonly #spreadMs: number;
  readonly #lookMs: number;
  #timer: NodeJS.Timeout | undefined;
  #looked = 0;
  #warned = false;

  constructor(options: OutageEvictionOptions) {
    this.#options = options;
    this.#keepMs = options.keepMs ?? LIMITS.cutOffMs;
    this.#spreadMs = options.spreadMs ?? LIMITS.cutOffSpreadMs;
    this.#lookMs = Math.max(1, Math.min(MOST_LOOK_MS, this.#spreadMs / 20));
  }

  /** Something is away. */
  begin(): void {
    if (this.#timer !== undefined) return;
    this.#warned = false;
    this.#looked = this.#options.clock.monotonic();
    this.#timer = setInterval(() => this.look(), this.#lookMs);
    this.#timer.unref();
  }

  /** Nothing is away any more. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  look(): void {
    const { clock, connections } = this.#options;
    const now = clock.monotonic();
    const passed = now - this.#looked;
    this.#looked = now;
    for (const connection of Array.from(connections())) {
      const since = connection.unavailableSince;
      if (since === undefined || !this.#isOver(now - since - this.#keepMs, passed)) continue;
      this.#warn();
      connection.evict();
    }
  }

  /** With the chance that makes every moment of the spread as likely as any other, without remembering one for each connection. */
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
      reason: `the store of what they watch has been out of reach for ${this.#keepMs / 1_000} s`,
      consequence: `their connections close with 1013 within ${this.#spreadMs / 1_000} s; told once until it is back`,
    });
  }
}
