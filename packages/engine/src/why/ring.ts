import type { Clock } from '../structures/clock.js';

export interface RingOptions {
  /** Most entries. */
  readonly entries: number;
  /** Milliseconds for which an entry counts. */
  readonly keepMs: number;
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * The last entries of one kind. The ring knows what it has lost: an entry that was replaced before its time is up makes it `overrun` until
 * that time is over. A reader then knows that an entry which it does not find may have existed.
 */
export class Ring<Entry extends { readonly at: number }> {
  readonly #options: RingOptions;
  readonly #startedAt: number;
  readonly #entries: Entry[] = [];
  /** Place of the oldest entry, once the ring is full. */
  #oldest = 0;
  /** Time of the newest entry that was replaced; minus infinity before the first one. */
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(options: RingOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  add(entry: Entry): void {
    if (this.#entries.length < this.#options.entries) {
      this.#entries.push(entry);
      return;
    }
    this.#lostAt = Math.max(this.#lostAt, this.#entries[this.#oldest]?.at ?? 0);
    this.#entries[this.#oldest] = entry;
    this.#oldest = (this.#oldest + 1) % this.#options.entries;
  }

  /** Unix milliseconds since which the ring has every entry. */
  get knownSince(): number {
    return Math.max(this.#startedAt, this.#lostAt + 1, this.#options.clock.now() - this.#options.keepMs);
  }

  /** Whether the ring has lost an entry that is younger than its time. */
  get overrun(): boolean {
    return this.#lostAt >= this.#options.clock.now() - this.#options.keepMs;
  }

  /** Yields the entries that count, the newest first. */
  *newestFirst(): Generator<Entry, void> {
    const { length } = this.#entries;
    const oldestAt = this.#options.clock.now() - this.#options.keepMs;
    for (let back = 1; back <= length; back++) {
      const entry = this.#entries[(this.#oldest + length - back) % length];
      if (entry !== undefined && entry.at >= oldestAt) yield entry;
    }
  }

  /** Returns the newest entry that `matches`; `undefined` when the ring has none. */
  find(matches: (entry: Entry) => boolean): Entry | undefined {
    for (const entry of this.newestFirst()) if (matches(entry)) return entry;
    return undefined;
  }
}
