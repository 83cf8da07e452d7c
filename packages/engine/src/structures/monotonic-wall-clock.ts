import type { Clock } from './clock.js';

/**
 * Returns Unix milliseconds that never jump. It reads the wall clock once, when it is created, and adds the progress of the monotonic
 * clock. Stores use it for deadlines that outlive the process. A jump of the wall clock moves no deadline until the next start of the
 * engine.
 */
export class MonotonicWallClock {
  readonly #clock: Clock;
  readonly #base: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#base = clock.now() - clock.monotonic();
  }

  /** Returns Unix milliseconds, rounded to whole ones. */
  now(): number {
    return Math.round(this.#base + this.#clock.monotonic());
  }
}
