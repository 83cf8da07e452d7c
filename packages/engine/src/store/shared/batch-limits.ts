/**
 * UTF-16 code units that one transaction reads and writes, and so the texts that it keeps until it is durable. A transaction ends with the
 * write that exceeds them.
 */
export const BATCH_CHARS = 4_194_304;
/** Milliseconds that one transaction works on the main thread. The current change is finished after them. */
const BATCH_MS = 20;
/** The same for a transaction with large values, and the UTF-16 code units from which on it counts as one. */
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

  /** Marks the begin of the work of a transaction. */
  begin(): void {
    this.#began = this.#now();
    this.#chars = 0;
  }

  /** Counts a value of this many UTF-16 code units that the transaction read, or will write. */
  add(chars: number): void {
    this.#chars += chars;
  }

  /** The transaction must end: it has no time left, or has handled enough text. */
  get reached(): boolean {
    return this.#chars >= BATCH_CHARS || this.late;
  }

  /** The transaction has no time left. */
  get late(): boolean {
    return this.#now() - this.#began >= (this.#chars < LARGE_CHARS ? BATCH_MS : LARGE_BATCH_MS);
  }
}
