import type { Clock } from './clock.js';

/** How often something may happen. */
export interface Rate {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Tokens of a full bucket. */
  readonly burst: number;
}

/**
 * Holds tokens that come back with time. It begins full and has no timer. The clock is read only when the tokens run out, so that a take
 * from a bucket with tokens costs one comparison. A quiet peer may therefore use up to two bursts in a row.
 */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #tokens: number;
  #filledAt: number;

  constructor(rate: Rate, clock: Pick<Clock, 'monotonic'>) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.burst;
    this.#filledAt = clock.monotonic();
  }

  /** Takes `amount` tokens, or none when there are fewer. Answers whether it took them. */
  take(amount = 1): boolean {
    if (this.#tokens < amount) this.#fill();
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  /** Takes `amount` tokens in any case; the bucket may owe some then. Answers whether it owes none. */
  spend(amount = 1): boolean {
    this.#tokens -= amount;
    if (this.#tokens >= 0) return true;
    this.#fill();
    return this.#tokens >= 0;
  }

  /** Milliseconds until `amount` tokens are there; 0 when they are. An amount above the burst counts as the burst. */
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
