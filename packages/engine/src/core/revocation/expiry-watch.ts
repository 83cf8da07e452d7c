import { type Clock, type ClockTimer, timersOf } from '../../structures/clock.js';

/** A session whose access ends at a time. */
export interface Expiring {
  /** Notifies the peer that its access ends soon, at this time in Unix milliseconds. Returns false when it can't be notified yet. */
  expiring(atMs: number): boolean;
  expire(): void;
}

const CHECK_MS = 500;
const WARN_MS = 30_000;

interface Watched {
  readonly atMs: number;
  warned: boolean;
}

/**
 * Ends sessions when their access expires, at most a second late. It notifies each of them 30 s before, or at once when less time is left.
 *
 * One timer serves all sessions. It runs only while a session can expire. Times are those of the wall clock, as tokens have them. The watch
 * compares them each time, so a change of the clock takes effect.
 */
export class ExpiryWatch {
  readonly #clock: Clock;
  readonly #watched = new Map<Expiring, Watched>();
  #timer: ClockTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets the time at which a session expires. `undefined` removes an earlier time. */
  set(who: Expiring, atMs: number | undefined): void {
    if (atMs === undefined) {
      this.delete(who);
      return;
    }
    this.#watched.set(who, { atMs, warned: false });
    if (this.#timer === undefined) {
      this.#timer = timersOf(this.#clock).every(CHECK_MS, () => this.checkAll());
      this.#timer.unref();
    }
    this.#check(who, this.#clock.now());
  }

  delete(who: Expiring): void {
    if (!this.#watched.delete(who) || this.#watched.size > 0) return;
    timersOf(this.#clock).cancel(this.#timer);
    this.#timer = undefined;
  }

  checkAll(): void {
    const now = this.#clock.now();
    for (const who of Array.from(this.#watched.keys())) this.#check(who, now);
  }

  #check(who: Expiring, now: number): void {
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
