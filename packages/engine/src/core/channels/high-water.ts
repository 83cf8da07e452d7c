/**
 * Counts bytes up to a mark. At the mark writers stop. They resume when a quarter is free, so that they are not stopped for each message.
 */
export class HighWater {
  readonly #mark: number;
  readonly #reached: () => void;
  readonly #freed: () => void;
  #level = 0;
  #full = false;

  /** `freed` runs as a microtask. A writer may write as soon as it resumes, and that must not happen inside a delivery. */
  constructor(mark: number, reached: () => void, freed: () => void) {
    this.#mark = mark;
    this.#reached = reached;
    this.#freed = freed;
  }

  get level(): number {
    return this.#level;
  }

  get full(): boolean {
    return this.#full;
  }

  /** Adds bytes. `bytes` may be negative. */
  add(bytes: number): void {
    this.#level += bytes;
    if (!this.#full && this.#level >= this.#mark) {
      this.#full = true;
      this.#reached();
    } else if (this.#full && this.#level <= (this.#mark / 4) * 3) {
      this.#full = false;
      queueMicrotask(this.#freed);
    }
  }
}
