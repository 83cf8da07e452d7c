import type { Clock } from '../structures/clock.js';

/** Whose access ends at a time. */
export interface Expiring {
  /** Access ends soon, at this time in Unix milliseconds. False: it can't be told yet, ask again. */
  expiring(atMs: number): boolean;
  expire(): void;
}

const LOOK_MS = 500;
const WARN_MS = 30_000;

interface Watched {
  readonly atMs: number;
  warned: boolean;
}

/**
 * Ends what expires, at most a second late, and says so 30 s before, or at once when less is left. One timer for all; it runs only while
 * something expires. Times are of the wall clock, as tokens have them, and are looked at anew each time, so a clock that was set counts.
 */
export class ExpiryWatch {
  readonly #clock: Clock;
  readonly #watched = new Map<Expiring, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `undefined`: it does not expire, whatever was said before. */
  set(who: Expiring, atMs: number | undefined): void {
    if (atMs === undefined) {
      this.delete(who);
      return;
    }
    this.#watched.set(who, { atMs, warned: false });
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
    this.#lookAt(who, this.#clock.now());
  }

  delete(who: Expiring): void {
    if (!this.#watched.delete(who) || this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  look(): void {
    const now = this.#clock.now();
    for (const who of Array.from(this.#watched.keys())) this.#lookAt(who, now);
  }

  #lookAt(who: Expiring, now: number): void {
    const watched = this.#watched.get(who);
    if (watched === undefined) return;
    if (now >= watched.atMs) {
      this.delete(who);
      who.expire();
    } else if (!watched.warned && now >= watched.atMs - WARN_MS) {
      watched.warned = who.expiring(watched.atMs);
    }
  }
}
