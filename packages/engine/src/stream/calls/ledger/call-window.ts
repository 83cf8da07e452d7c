import type { Clock } from '../../../structures/clock.js';

const BUCKETS = 32;

interface Bucket {
  /** Number of its period since the start of the clock. */
  readonly period: number;
  calls: number;
  bytes: number;
}

/** Counts the calls, and the bytes of their outcomes, that began within the retention. It counts at most one period too long. */
export class CallWindow {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #periodMs: number;
  readonly #buckets: Bucket[] = [];
  calls = 0;
  bytes = 0;

  constructor(clock: Pick<Clock, 'monotonic'>, retentionMs: number) {
    this.#clock = clock;
    this.#periodMs = retentionMs / BUCKETS;
  }

  add(calls: number, bytes: number): void {
    const bucket = this.#current();
    bucket.calls += calls;
    bucket.bytes += bytes;
    this.calls += calls;
    this.bytes += bytes;
  }

  get isEmpty(): boolean {
    return this.calls === 0 && this.bytes === 0;
  }

  /** Removes what is older than the retention. */
  refresh(): this {
    this.#forget(this.#period());
    return this;
  }

  #current(): Bucket {
    const period = this.#period();
    this.#forget(period);
    const last = this.#buckets.at(-1);
    if (last?.period === period) return last;
    const bucket = { period, calls: 0, bytes: 0 };
    this.#buckets.push(bucket);
    return bucket;
  }

  #period(): number {
    return Math.floor(this.#clock.monotonic() / this.#periodMs);
  }

  #forget(period: number): void {
    for (let oldest = this.#buckets[0]; oldest !== undefined && oldest.period < period - BUCKETS; oldest = this.#buckets[0]) {
      this.#buckets.shift();
      this.calls -= oldest.calls;
      this.bytes -= oldest.bytes;
    }
  }
}
