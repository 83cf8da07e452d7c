/** Bounds the number of requests that are served at the same time. Further requests wait in a queue, which is bounded too. */
export class RequestSlots {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;
  #handing = false;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Whether the next request has to wait. */
  get full(): boolean {
    return this.#taken >= this.#most;
  }

  /** Number of requests that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Calls `entered` as soon as there is a slot, at once if one is free. Returns a function that stops the wait, or `undefined` when the
   * queue is full.
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

  /** Frees a slot, and gives it to the next request. A request may leave within `entered`. The loop keeps a long queue from recursing. */
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
