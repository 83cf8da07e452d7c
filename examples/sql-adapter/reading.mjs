const CHUNK_ROWS = 256;

/**
 * Reads the rows of one group as they are now, page by page. A database with one connection shows later writes to an open query. So a
 * writer first calls `hold` of all readings of its group: they read their remaining rows into memory.
 * @template T
 */
export class Reading {
  #page;
  #ended;
  #after;
  /** @type {T[] | undefined} */
  #held;
  #open = true;

  /**
   * @param {number} after the key behind which the first page begins
   * @param {(after: number, limit: number) => T[]} page returns rows behind `after`; `limit` -1: all of them
   * @param {(row: T) => number} key returns the key behind which the next page begins
   * @param {(reading: Reading<T>) => void} ended called once
   */
  constructor(after, page, key, ended) {
    this.#after = after;
    this.#page = page;
    this.#ended = ended;
    this.key = key;
  }

  hold() {
    if (this.#open) this.#held ??= this.#page(this.#after, -1);
  }

  async *chunks() {
    try {
      while (this.#open) {
        const rows = this.#held === undefined ? this.#page(this.#after, CHUNK_ROWS) : this.#held.splice(0, CHUNK_ROWS);
        const last = rows.at(-1);
        if (last === undefined) return;
        this.#after = this.key(last);
        yield rows;
      }
    } finally {
      this.close();
    }
  }

  close() {
    if (!this.#open) return;
    this.#open = false;
    this.#held = undefined;
    this.#ended(this);
  }
}
