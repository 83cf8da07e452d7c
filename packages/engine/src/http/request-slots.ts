/** A bound on how many work at the same time; the others wait in line, and the line has a bound too. */
export class Slots {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;
  #handing = false;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Whether the next one has to wait. */
  get full(): boolean {
    return this.#taken >= this.#most;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * `entered` runs once there is a slot, at once if there is one; `leave` gives it back. Answers how to stop waiting, or `undefined`
   * when too many wait already.
   */
  enter(entered: () => void): (() => void) | undefined {
    if (this.#taken < this.#most) {
      this.#taken++;
      entered();
      return () => {};
    }
    if (this.#waiting.size >= this.#mostWaiting) return undefined;
    this.#waiting.add(entered);
    return () => {
      this.#waiting.delete(entered);
    };
  }

  /** Those who enter may leave before they return: a loop, not a call inside the other for each of a long line. */
  leave(): void {
    this.#taken--;
    if (this.#handing) return;
    this.#handing = true;
    for (const next of this.#waiting) {
      if (this.#taken >= this.#most) break;
      this.#taken++;
      this.#waiting.delete(next);
      next();
    }
    this.#handing = false;
  }
}
