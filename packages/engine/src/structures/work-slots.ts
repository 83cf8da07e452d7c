/** Runs at most `slots` tasks at a time. Further tasks wait in the order of their calls. */
export class WorkSlots {
  readonly #slots: number;
  readonly #mostWaiting: number;
  #running = 0;
  #waiting: (() => void)[] = [];

  constructor(slots: number, mostWaiting: number) {
    this.#slots = slots;
    this.#mostWaiting = mostWaiting;
  }

  /** Whether the queue is full. `run` does not check this, so a caller that must be bounded checks it first. */
  get full(): boolean {
    return this.#waiting.length >= this.#mostWaiting;
  }

  /** Runs `work` as soon as a slot is free. Settles as `work` settles. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#slots) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The next task takes over this slot, so the number of running tasks stays the same.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
