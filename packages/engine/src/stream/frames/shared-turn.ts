/**
 * Bounds the bytes that all readers of shared frames write in one turn of the event loop. Otherwise thousands of readers that get the same
 * answer would fill all their sockets before anything else runs.
 */
export class SharedTurn {
  readonly #most: number;
  #spent = 0;
  #begun = false;
  readonly #waiting: (() => void)[] = [];

  /** `most`: bytes of one turn. A single piece may be larger. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Counts written bytes. Returns true when the caller must await `next` before it writes more. */
  spend(bytes: number): boolean {
    this.#spent += bytes;
    this.#begin();
    return this.#spent >= this.#most;
  }

  /** Resolves when the caller may write `bytes`, and counts them. */
  async take(bytes: number): Promise<void> {
    while (this.#spent >= this.#most) await this.next();
    this.spend(bytes);
  }

  /** Resolves in the next turn. */
  next(): Promise<void> {
    this.#begin();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Makes the count start anew in the next turn, also when nobody waits for it. */
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
