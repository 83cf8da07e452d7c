export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Returns the value at a quantile from 0 to 1, by nearest rank; NaN without values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Counts latencies in buckets of 0.1 ms up to 60 s, so that percentiles need no list of samples. */
export class Latencies {
  readonly #buckets = new Uint32Array(600_000);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(milliseconds: number): void {
    const bucket = Math.floor(milliseconds * 10);
    const index = bucket < 0 ? 0 : Math.min(bucket, this.#buckets.length - 1);
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    this.#count += 1;
  }

  /** Returns the upper edge of the bucket with the quantile, in milliseconds; NaN without samples. */
  at(q: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.min(this.#count, Math.floor(q * this.#count) + 1);
    let seen = 0;
    for (let index = 0; index < this.#buckets.length; index++) {
      seen += this.#buckets[index] ?? 0;
      if (seen >= rank) return (index + 1) / 10;
    }
    return this.#buckets.length / 10;
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#count = 0;
  }
}
