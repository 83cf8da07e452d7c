import { type BackoffOptions, backoffDelay } from '../connection/backoff.js';

/** Milliseconds of being live after which trouble counts as new. */
const PROVEN_MS = 5_000;
/** Sequence gaps in a row after which the join asks for the whole state. */
const MOST_GAPS = 3;
const AGAIN: BackoffOptions = { initialDelayMs: 1_000, firstDelayMs: 0, maxDelayMs: 20_000, multiplier: 2 };
const REFUSED: BackoffOptions = { initialDelayMs: 2_000, maxDelayMs: 60_000, multiplier: 2 };

/** Decides when a subscription sends its join again, and from where. It counts failures in a row on one connection. */
export class JoinRetry {
  #failures = 0;
  #gaps = 0;

  /** Forgets all failures. */
  reset(): void {
    this.#failures = this.#gaps = 0;
  }

  /** Counts a sequence gap. `liveMs`: how long the subscription has been live before it. */
  countGap(liveMs: number): void {
    if (liveMs > PROVEN_MS) this.reset();
    this.#gaps++;
  }

  /** Counts a failure. Returns the milliseconds to wait before the next join. */
  delayMs(isRefused: boolean, random: number): number {
    return backoffDelay(this.#failures++, random, isRefused ? REFUSED : AGAIN);
  }

  /** Whether the next join has no position, because joins from the known position have failed `MOST_GAPS` times in a row. */
  get startsAnew(): boolean {
    return this.#gaps >= MOST_GAPS;
  }
}
