import type { TurnBudget } from '../../structures/turn-budget.js';

/** Each call does one step. */
interface Work<T> {
  next(): IteratorResult<void, T>;
}

interface Waiting {
  readonly work: Work<unknown>;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs writes in the order of their calls. Those that find time in this turn run at once; what is left when the turn was long runs in later
 * ones. A write that is half done keeps those behind it waiting.
 */
export class SlicedWrites {
  readonly #turns: TurnBudget;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #advancing = false;

  constructor(turns: TurnBudget) {
    this.#turns = turns;
  }

  /** Whether a write may run at once. */
  get free(): boolean {
    return this.#running === undefined && !this.#advancing && !this.#turns.over;
  }

  run<T>(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (this.#running !== undefined || this.#advancing || this.#advance()) return;
      this.#running = this.#rest();
    });
  }

  /** Resolves when nothing waits. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #rest(): Promise<void> {
    do await this.#turns.next();
    while (!this.#advance());
    this.#running = undefined;
  }

  /** True when everything is done; false when the turn was long. */
  #advance(): boolean {
    this.#advancing = true;
    let done = 0;
    // What a write causes may be pushed meanwhile.
    for (const waiting of this.#waiting) {
      if (!this.#finish(waiting)) break;
      done++;
    }
    this.#waiting = this.#waiting.slice(done);
    this.#advancing = false;
    return this.#waiting.length === 0;
  }

  #finish({ work, resolve, reject }: Waiting): boolean {
    try {
      for (;;) {
        if (this.#turns.over) return false;
        const step = work.next();
        if (step.done !== true) continue;
        resolve(step.value as never);
        return true;
      }
    } catch (error) {
      reject(error);
      return true;
    }
  }
}
