/** Bounds the bytes that all users of one budget hold together. */
export class ByteBudget {
  readonly #most: number;
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes bytes from the budget. Returns `false`, and takes nothing, when fewer are free. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#most) return false;
    this.#held += bytes;
    return true;
  }

  /** Returns bytes to the budget. */
  give(bytes: number): void {
    this.#held -= bytes;
  }
}
