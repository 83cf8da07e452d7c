import type { Clock } from '../connection/clock.js';

/** The least milliseconds between two notifications: one frame of a screen, so that a burst of changes is not a burst of renders. */
const EVERY_MS = 16;

/** Notifies of changes at the end of the turn. While changes keep coming, it notifies at most every `EVERY_MS`. */
export class CoalescedNotifier {
  readonly #clock: Clock;
  readonly #notify: () => void;
  #notifiedAt = Number.NEGATIVE_INFINITY;
  #isDue = false;

  constructor(clock: Clock, notify: () => void) {
    this.#clock = clock;
    this.#notify = notify;
  }

  request(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const waitMs = this.#notifiedAt + EVERY_MS - this.#clock.now();
    if (waitMs <= 0) queueMicrotask(() => this.#now());
    else this.#clock.setTimer(() => this.#now(), waitMs);
  }

  #now(): void {
    this.#isDue = false;
    this.#notifiedAt = this.#clock.now();
    this.#notify();
  }
}
