/** Counts values in buckets, for a histogram. One observation costs a few comparisons and no memory. */
export class BucketCounts {
  /** Upper bounds of the buckets, ascending. Values above the last one count only in `count`. */
  readonly bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  /** Number of observed values. */
  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const { bounds } = this;
    for (let at = 0; at < bounds.length; at++) {
      if (value > (bounds[at] as number)) continue;
      (this.#counts[at] as number)++;
      return;
    }
  }

  /** Returns the number of values up to each bound, as Prometheus wants them. */
  cumulative(): readonly number[] {
    let below = 0;
    return this.#counts.map((count) => (below += count));
  }
}
