/** One line of the feed: a change, an event, or a note of the client about its state. */
export type FeedEntry = {
  /** Grows from one entry to the next. */
  readonly number: number;
  /** When the page got it, in Unix milliseconds. */
  readonly atMs: number;
} & FeedContent;

export type FeedContent =
  | { readonly kind: 'create' | 'update' | 'delete'; readonly id: string; readonly data: unknown; readonly offset: number }
  | {
      readonly kind: 'event';
      readonly name: string;
      readonly id: string | undefined;
      readonly data: unknown;
      readonly offset: number | undefined;
    }
  /** The client got the whole state again. */
  | { readonly kind: 'reset'; readonly reason: string; readonly offset: number | undefined }
  /** Events are lost, or may be. */
  | { readonly kind: 'gap'; readonly after: number; readonly through: number };

/** Keeps the newest entries. Adding one costs the same at any rate, because nothing is moved. */
export class ChangeRing {
  readonly #most: number;
  readonly #kept: FeedEntry[] = [];
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Number of entries since the ring was made, with those that it does not keep any more. */
  get count(): number {
    return this.#count;
  }

  add(content: FeedContent, atMs: number): void {
    this.#kept[this.#count % this.#most] = { ...content, number: this.#count, atMs };
    this.#count++;
  }

  /** Returns the entries, the newest first. */
  newest(): readonly FeedEntry[] {
    return this.#kept.toSorted((one, other) => other.number - one.number);
  }
}
