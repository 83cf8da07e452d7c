import { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';

/** A client that has not taken its response for this long may lose it when others need the memory. */
const STALLED_MS = 30_000;

interface Unsent {
  readonly since: number;
  readonly drop: () => void;
}

/** Values that functions have returned and clients have not taken yet: a bound of their memory together. */
export class UnsentResponses {
  readonly #budget: ByteBudget;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** The oldest first. */
  readonly #unsent = new Set<Unsent>();

  constructor(mostBytes: number, clock: Pick<Clock, 'monotonic'>) {
    this.#budget = new ByteBudget(mostBytes);
    this.#clock = clock;
  }

  /**
   * Takes memory for a response. If there is none, responses that clients have not taken for `STALLED_MS` are dropped for it, the oldest
   * first. Returns how to give the memory back; `undefined`: there is none.
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

  /** `drop` has to give the memory back; otherwise the next one is dropped too. */
  #dropOldest(): boolean {
    const [oldest] = this.#unsent;
    if (oldest === undefined || oldest.since > this.#clock.monotonic() - STALLED_MS) return false;
    this.#unsent.delete(oldest);
    oldest.drop();
    return true;
  }
}
