import { BucketCounts } from '../logging/bucket-counts.js';

/**
 * Milliseconds between two measurements. A monitor of Node with its usual 10 ms would wake an idle engine 100 times a second, which costs
 * more than all metrics together.
 */
const EVERY_MS = 200;
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Measures how late the timers of the process are, because the event loop was busy. */
export class LoopDelay {
  readonly seconds = new BucketCounts(SECONDS);
  #timer: NodeJS.Timeout | undefined;
  #worstMs = 0;

  /** Begins to measure. Nothing is measured before, so an engine that nobody watches does no work. */
  start(): void {
    let expected = performance.now() + EVERY_MS;
    this.#timer = setInterval(() => {
      const now = performance.now();
      const delayMs = Math.max(0, now - expected);
      this.seconds.observe(delayMs / 1_000);
      this.#worstMs = Math.max(this.#worstMs, delayMs);
      expected = now + EVERY_MS;
    }, EVERY_MS).unref();
  }

  /** Returns the longest delay since the last call, in milliseconds. */
  takeWorst(): number {
    const worst = this.#worstMs;
    this.#worstMs = 0;
    return worst;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
