import type { Clock } from './clock.js';

/**
 * Unix milliseconds that never jump: the wall clock as it was when this was made, and from then on what the monotonic clock says. For
 * deadlines that outlive the process: within a run a jump of the wall clock moves none, the next run begins from the wall clock again.
 */
export class SteadyTime {
  readonly #clock: Clock;
  readonly #base: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#base = clock.now() - clock.monotonic();
  }

  now(): number {
    return Math.round(this.#base + this.#clock.monotonic());
  }
}
