export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value at a quantile from 0 to 1 (nearest rank); NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Latencies in buckets of 0.1 ms up to 60 s: percentiles without keeping every sample. */
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

  /** The upper edge of the bucket that holds the quantile, in milliseconds; NaN when empty. */
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
