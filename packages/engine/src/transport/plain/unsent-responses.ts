import { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';

/** Milliseconds after which a client that has not taken its response may lose it, when others need the memory. */
const STALLED_MS = 30_000;

interface Unsent {
  readonly since: number;
  readonly drop: () => void;
}

/** Bounds the memory of all values that functions have returned and clients have not taken yet. */
export class UnsentResponses {
  readonly #budget: ByteBudget;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Unsent responses, the oldest first. */
  readonly #unsent = new Set<Unsent>();

  constructor(mostBytes: number, clock: Pick<Clock, 'monotonic'>) {
    this.#budget = new ByteBudget(mostBytes);
    this.#clock = clock;
  }

  /**
   * Takes memory for a response. If there is too little, responses that clients have not taken for `STALLED_MS` are dropped, the oldest
   * first. Returns a function that returns the memory, or `undefined` if there is still too little.
   */
  take(bytes: number, drop: () => void): (() => void) | undefined {
    while (!this.#budget.take(bytes)) if (!this.#dropOldest()) return undefined;
    const unsent = { since: this.#clock.monotonic(), drop };
    this.#unsent.add(unsent);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#unsent.delete(unsent);
      this.#budget.give(bytes);
    };
  }

  /** Drops the oldest response. `drop` has to return the memory, otherwise the next response is dropped too. */
  #dropOldest(): boolean {
    const [oldest] = this.#unsent;
    if (oldest === undefined || oldest.since > this.#clock.monotonic() - STALLED_MS) return false;
    this.#unsent.delete(oldest);
    oldest.drop();
    return true;
  }
}
