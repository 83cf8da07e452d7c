/** Runs at most some things at once; others wait in the order of their calls. */
export class WorkSlots {
  readonly #slots: number;
  readonly #mostWaiting: number;
  #running = 0;
  #waiting: (() => void)[] = [];

  constructor(slots: number, mostWaiting: number) {
    this.#slots = slots;
    this.#mostWaiting = mostWaiting;
  }

  /** No more may wait. */
  get full(): boolean {
    return this.#waiting.length >= this.#mostWaiting;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#slots) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The next one takes over the slot.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
