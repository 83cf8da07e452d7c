import { type Clock, paceOf } from './clock.js';

/** A bound on how often something may happen. */
export interface Rate {
  /** Tokens that the bucket gains in a second. */
  readonly perSecond: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
}

/**
 * Limits a rate. The bucket begins full, each event takes tokens, and the bucket gains `perSecond` tokens in a second. It has no timer. It
 * reads the clock only when its tokens run out, so most takes cost one comparison. A peer that was quiet may therefore use two bursts in a
 * row.
 */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #tokens: number;
  #filledAt: number;

  constructor(rate: Rate, clock: Pick<Clock, 'monotonic' | 'pace'>) {
    this.#rate = rate;
    this.#clock = paceOf(clock);
    this.#tokens = rate.burst;
    this.#filledAt = this.#clock.monotonic();
  }

  /** Takes `amount` tokens and returns `true`, or takes none and returns `false` when the bucket has fewer. */
  take(amount = 1): boolean {
    if (this.#tokens < amount) this.#fill();
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  /** Takes `amount` tokens in any case, even below zero. Returns whether the bucket is still at zero or above. */
  spend(amount = 1): boolean {
    this.#tokens -= amount;
    if (this.#tokens >= 0) return true;
    this.#fill();
    return this.#tokens >= 0;
  }

  /** Returns the milliseconds until the bucket has `amount` tokens, or 0 if it has them. An amount above the burst counts as the burst. */
  waitMs(amount = 1): number {
    const missing = Math.min(amount, this.#rate.burst) - this.#tokens;
    if (missing <= 0) return 0;
    this.#fill();
    return Math.max(0, Math.ceil(((Math.min(amount, this.#rate.burst) - this.#tokens) / this.#rate.perSecond) * 1_000));
  }

  #fill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + ((now - this.#filledAt) * this.#rate.perSecond) / 1_000);
    this.#filledAt = now;
  }
}
