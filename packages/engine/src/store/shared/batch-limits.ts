/** UTF-16 code units that one transaction reads and writes. A single change, or a write of several, may exceed them. */
export const BATCH_CHARS = 4_194_304;
/** Milliseconds that one transaction works on the main thread. The change that is under way then is finished: a short one, while all are short. */
const BATCH_MS = 20;
/** The same where values are large, and UTF-16 code units that make them so. */
const LARGE_BATCH_MS = 10;
const LARGE_CHARS = 524_288;

/** Decides when a transaction has done enough, so that the event loop turns before the next one. */
export class BatchLimits {
  readonly #now: () => number;
  #began = Number.POSITIVE_INFINITY;
  #chars = 0;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The transaction begins to work. */
  begin(): void {
    this.#began = this.#now();
    this.#chars = 0;
  }

  /** A value of this many UTF-16 code units was read, or will be written. */
  add(chars: number): void {
    this.#chars += chars;
  }

  /** Nothing else may begin. */
  get reached(): boolean {
    return this.#chars >= BATCH_CHARS || this.late;
  }

  /** The time is over. */
  get late(): boolean {
    return this.#now() - this.#began >= (this.#chars < LARGE_CHARS ? BATCH_MS : LARGE_BATCH_MS);
  }
}
