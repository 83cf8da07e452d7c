import type { Page } from '../wire/decoder.js';

/*
 * A list comes in pages of rows. The cursor of a page is the `next` of the page before it. With a search, the engine looks at a bounded
 * number of entries for each request, so an answer may have few rows, or none, and still have a successor. Then `PageFill` asks on until
 * the page is full, and after `MOST_REQUESTS` it leaves the decision to the user.
 */

/** Requests for one page of the table. */
export const MOST_REQUESTS = 10;

export type FillStep<T> =
  | { readonly kind: 'ask'; readonly after: string | undefined; readonly limit: number }
  | { readonly kind: 'done'; readonly page: Page<T> };

/** Collects the rows of one page of the table from one or several answers. */
export class PageFill<T> {
  readonly #limit: number;
  readonly #rows: T[] = [];
  #next: string | undefined;
  #requests = 0;

  constructor(after: string | undefined, limit: number) {
    this.#next = after;
    this.#limit = limit;
  }

  get rows(): readonly T[] {
    return this.#rows;
  }

  step(): FillStep<T> {
    const isFull = this.#rows.length >= this.#limit || this.#requests >= MOST_REQUESTS;
    if (this.#requests > 0 && (this.#next === undefined || isFull)) return { kind: 'done', page: { rows: this.#rows, next: this.#next } };
    return { kind: 'ask', after: this.#next, limit: this.#limit - this.#rows.length };
  }

  add(answer: Page<T>): void {
    this.#requests++;
    this.#rows.push(...answer.rows);
    this.#next = answer.next;
  }
}
