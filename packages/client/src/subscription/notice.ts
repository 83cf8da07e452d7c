import type { Clock } from '../connection/clock.js';

/** Milliseconds between two notices: a frame of a screen, so that a burst of changes is not a burst of renders. */
const EVERY_MS = 16;

/** Tells that something has changed: at the end of the turn, and while changes keep coming at most every 16 ms. */
export class Notice {
  readonly #clock: Clock;
  readonly #tell: () => void;
  #toldAt = Number.NEGATIVE_INFINITY;
  #due = false;

  constructor(clock: Clock, tell: () => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  request(): void {
    if (this.#due) return;
    this.#due = true;
    const wait = this.#toldAt + EVERY_MS - this.#clock.now();
    if (wait <= 0) queueMicrotask(() => this.#now());
    else this.#clock.setTimer(() => this.#now(), wait);
  }

  #now(): void {
    this.#due = false;
    this.#toldAt = this.#clock.now();
    this.#tell();
  }
}
