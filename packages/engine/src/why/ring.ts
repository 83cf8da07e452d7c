import type { Clock } from '../structures/clock.js';

export interface RingOptions {
  /** Most entries. */
  readonly entries: number;
  /** Milliseconds for which an entry counts. */
  readonly keepMs: number;
  readonly clock: Pick<Clock, 'now'>;
}

export interface TextBound<Entry> {
  /** Most characters of all entries, in UTF-16 code units. One longer entry is kept alone. */
  readonly chars: number;
  /** Returns the characters of the texts of an entry. */
  readonly charsOf: (entry: Entry) => number;
}

/**
 * The last entries of one kind. The ring knows what it has lost: an entry that was dropped before its time is up makes it `overrun` until
 * that time is over. A reader then knows that an entry which it does not find may have existed.
 */
export class Ring<Entry extends { readonly at: number }> {
  readonly #options: RingOptions;
  readonly #texts: TextBound<Entry> | undefined;
  readonly #startedAt: number;
  readonly #entries: (Entry | undefined)[] = [];
  /** Place of the oldest entry. */
  #oldest = 0;
  #size = 0;
  #chars = 0;
  /** Time of the newest entry that was dropped; minus infinity before the first one. */
  #lostAt = Number.NEGATIVE_INFINITY;

  /** `texts`: the bound of the texts. @default none */
  constructor(options: RingOptions, texts?: TextBound<Entry>) {
    this.#options = options;
    this.#texts = texts;
    this.#startedAt = options.clock.now();
  }

  add(entry: Entry): void {
    const { entries: most } = this.#options;
    const chars = this.#charsOf(entry);
    if (this.#size === most) this.#drop();
    while (this.#texts !== undefined && this.#size > 0 && this.#chars + chars > this.#texts.chars) this.#drop();
    this.#entries[(this.#oldest + this.#size) % most] = entry;
    this.#size++;
    this.#chars += chars;
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
    const { entries: most, keepMs, clock } = this.#options;
    const oldestAt = clock.now() - keepMs;
    const end = this.#oldest + this.#size;
    for (let back = 1; back <= this.#size; back++) {
      const entry = this.#entries[(end - back) % most];
      if (entry !== undefined && entry.at >= oldestAt) yield entry;
    }
  }

  /** Returns the newest entry that `matches`; `undefined` when the ring has none. */
  find(matches: (entry: Entry) => boolean): Entry | undefined {
    for (const entry of this.newestFirst()) if (matches(entry)) return entry;
    return undefined;
  }

  #charsOf(entry: Entry | undefined): number {
    return entry === undefined ? 0 : (this.#texts?.charsOf(entry) ?? 0);
  }

  /** Drops the oldest entry. */
  #drop(): void {
    const entry = this.#entries[this.#oldest];
    this.#lostAt = Math.max(this.#lostAt, entry?.at ?? 0);
    this.#chars -= this.#charsOf(entry);
    this.#entries[this.#oldest] = undefined;
    this.#oldest = (this.#oldest + 1) % this.#options.entries;
    this.#size--;
  }
}
