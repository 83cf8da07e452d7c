export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Returns the value at a quantile from 0 to 1, by nearest rank; NaN without values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Buckets of 0.01 ms, from 0 on. */
const FINE = 1_000;
/** Buckets of 0.1 ms above them, up to 60 s. */
const COARSE = 599_900;
/** Buckets of 0.1 ms that the fine ones replace. */
const REPLACED = FINE / 10;

/** Counts latencies in buckets of 0.01 ms up to 10 ms, and of 0.1 ms up to 60 s, so that percentiles need no list of samples. */
export class Latencies {
  readonly #buckets = new Uint32Array(FINE + COARSE);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(milliseconds: number): void {
    const fine = Math.max(0, Math.floor(milliseconds * 100));
    const bucket = fine < FINE ? fine : FINE - REPLACED + Math.floor(milliseconds * 10);
    const index = Math.min(bucket, this.#buckets.length - 1);
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
      if (seen >= rank) return upperEdge(index);
    }
    return upperEdge(this.#buckets.length - 1);
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#count = 0;
  }
}

/** In milliseconds. */
function upperEdge(index: number): number {
  return index < FINE ? (index + 1) / 100 : (index + 1 - FINE + REPLACED) / 10;
}
