import type { Clock } from '../connection/clock.js';

/** The least milliseconds between two notifications: one frame of a screen, so that a burst of changes is not a burst of renders. */
const EVERY_MS = 16;

/** Notifies of changes at the end of the turn. While changes keep coming, it notifies at most every `EVERY_MS`. */
export class CoalescedNotifier {
  readonly #clock: Clock;
  readonly #notify: () => void;
  #notifiedAt = Number.NEGATIVE_INFINITY;
  #due: 'no' | 'later' | 'soon' = 'no';
  #timer: unknown;

  constructor(clock: Clock, notify: () => void) {
    this.#clock = clock;
    this.#notify = notify;
  }

  /** `isUrgent`: the user waits for the change, so it is shown at the end of the turn, also within a burst. */
  request(isUrgent = false): void {
    if (this.#due === 'soon' || (this.#due === 'later' && !isUrgent)) return;
    const waitMs = isUrgent ? 0 : this.#notifiedAt + EVERY_MS - this.#clock.now();
    this.#due = waitMs > 0 ? 'later' : 'soon';
    if (waitMs > 0) this.#timer = this.#clock.setTimer(() => this.#now(), waitMs);
    else queueMicrotask(() => this.#now());
  }

  #now(): void {
    this.#clock.clearTimer(this.#timer);
    this.#due = 'no';
    this.#notifiedAt = this.#clock.now();
    this.#notify();
  }
}
