import type { TurnBudget } from '../../structures/turn-budget.js';
import { FairQueue, type Queued } from '../shared/fair-queue.js';
import type { GroupRef } from '../store.js';

/** A write that is executed in steps: each call of `next` executes one. */
interface Work<T> {
  next(): IteratorResult<void, T>;
}

interface QueuedWork extends Queued {
  readonly work: Work<unknown>;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Executes writes in the order of a `FairQueue`. Writes run at once while this turn of the event loop has time; the others run in later
 * turns. A write that is half done goes on before all others.
 */
export class SlicedWrites {
  readonly #turns: TurnBudget;
  readonly #queue = new FairQueue<QueuedWork>();
  /** The write that is half done. */
  #current: QueuedWork | undefined;
  #running: Promise<void> | undefined;
  #isAdvancing = false;

  constructor(turns: TurnBudget) {
    this.#turns = turns;
  }

  /** Nothing waits and this turn has time, so a write may run at once. */
  get isFree(): boolean {
    return this.#running === undefined && !this.#isAdvancing && !this.#turns.over;
  }

  /** Resolves with the result of the write to the group `ref`, for the session `origin`. */
  run<T>(work: Work<T>, ref: GroupRef, origin: string | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.add({ work, ref, origin, resolve, reject });
      if (this.#running !== undefined || this.#isAdvancing || this.#advance()) return;
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

  /** Executes writes until this turn has no time (false) or nothing is left (true). A write may add others meanwhile. */
  #advance(): boolean {
    this.#isAdvancing = true;
    for (;;) {
      this.#current ??= this.#queue.shift();
      if (this.#current === undefined || !this.#finish(this.#current)) break;
      this.#current = undefined;
    }
    this.#isAdvancing = false;
    return this.#current === undefined;
  }

  /** Executes steps of a write. Returns false when this turn has no time for the next one. */
  #finish({ work, resolve, reject }: QueuedWork): boolean {
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
