const TICK_MS = 100;

/**
 * Notices when this process did not run for a while, for instance on a busy machine. Call `check` before each recorded operation: after a
 * stall, sockets may report before the timer does.
 */
export class StallWatch {
  readonly #mostMs: number;
  readonly #onStall: (milliseconds: number) => void;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #last: number;

  /** Calls `onStall` with the duration when the process did not run for more than `mostMs`. */
  constructor(mostMs: number, onStall: (milliseconds: number) => void, now = () => performance.now()) {
    this.#mostMs = mostMs;
    this.#onStall = onStall;
    this.#now = now;
    this.#last = now();
    this.#timer = setInterval(() => this.check(), TICK_MS);
    this.#timer.unref();
  }

  check(): void {
    const now = this.#now();
    const stalled = now - this.#last;
    this.#last = now;
    if (stalled > this.#mostMs) this.#onStall(stalled);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
