/**
 * Bounds the bytes that all readers of shared frames write in one turn of the event loop. Without it, thousands of readers that get the same
 * answer at the same time would write to all their sockets before anything else runs.
 */
export class SharedTurn {
  readonly #most: number;
  #spent = 0;
  #next: Promise<void> | undefined;

  /** `most`: bytes for one turn. A single piece may be larger. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when the caller may write `bytes` in this turn. */
  async take(bytes: number): Promise<void> {
    while (this.#spent >= this.#most) await this.#turn();
    this.#spent += bytes;
    // Starts the count of the next turn, also when nobody waits for it. This promise never rejects.
    this.#turn().catch(() => {});
  }

  #turn(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#spent = 0;
        this.#next = undefined;
        resolve();
      });
    });
    return this.#next;
  }
}
