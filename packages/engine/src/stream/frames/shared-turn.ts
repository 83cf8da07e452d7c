/**
 * Bounds the bytes that all readers of shared frames write in one turn of the event loop. Without it, thousands of readers that get the same
 * answer at the same time would write to all their sockets before anything else runs.
 */
export class SharedTurn {
  readonly #most: number;
  #spent = 0;
  #begun = false;
  readonly #waiting: (() => void)[] = [];

  /** `most`: bytes for one turn. A single piece may be larger. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Counts bytes that were written. Returns whether the caller must wait for `next` before it writes more. */
  spend(bytes: number): boolean {
    this.#spent += bytes;
    this.#begin();
    return this.#spent >= this.#most;
  }

  /** Resolves when the caller may write `bytes` in this turn. */
  async take(bytes: number): Promise<void> {
    while (this.#spent >= this.#most) await this.next();
    this.spend(bytes);
  }

  /** Resolves in the next turn. */
  next(): Promise<void> {
    this.#begin();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Starts the count of the next turn, also when nobody waits for it. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    setImmediate(() => {
      this.#spent = 0;
      this.#begun = false;
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }
}
