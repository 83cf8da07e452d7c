import { LIMITS } from '@rivulet/protocol';

/** The flushes that the rings of all groups may still take. */
export interface FlushBudget {
  left: number;
}

/**
 * The last flushes of one group: up to which offset each went, and when. It has one pair of numbers for each flush of the group, however
 * many subscribers the group has, and grows with its flushes.
 */
export class FlushRing {
  readonly #most: number;
  readonly #budget: FlushBudget;
  /** Pairs of an offset and monotonic milliseconds. */
  readonly #pairs: number[] = [];
  /** Place of the oldest pair, once the ring is full. */
  #oldest = 0;
  /** Offset after which every flush is known. */
  #floor = 0;
  #through = -1;

  /** `most`: most flushes. @default LIMITS.whyFlushes. `budget`: bounds the flushes of all groups. @default none */
  constructor(most: number = LIMITS.whyFlushes, budget: FlushBudget = { left: Number.POSITIVE_INFINITY }) {
    this.#most = most * 2;
    this.#budget = budget;
  }

  /** Records a flush of the changes after `from` up to `through`. */
  add(from: number, through: number, at: number): void {
    if (from !== this.#through) this.#restart(from);
    this.#through = through;
    // A whole number costs no memory beside its place.
    const time = Math.floor(at);
    const { length } = this.#pairs;
    // The newest pair stands at the end only while the oldest one stands at the start.
    if (length < this.#most && this.#oldest === 0 && this.#budget.left > 0) {
      this.#budget.left--;
      this.#pairs.push(through, time);
      return;
    }
    if (length === 0) {
      this.#floor = through;
      return;
    }
    this.#floor = this.#pairs[this.#oldest] ?? 0;
    this.#pairs[this.#oldest] = through;
    this.#pairs[this.#oldest + 1] = time;
    this.#oldest = (this.#oldest + 2) % length;
  }

  /** Returns the time of the flush that sent the change at `offset`; `undefined` when that is not known. */
  timeOf(offset: number): number | undefined {
    if (offset <= this.#floor || offset > this.#through) return undefined;
    const { length } = this.#pairs;
    for (let index = 0; index < length; index += 2) {
      const place = (this.#oldest + index) % length;
      if ((this.#pairs[place] ?? 0) >= offset) return this.#pairs[place + 1];
    }
    return undefined;
  }

  /** Forgets all flushes, because the group has no log any more. */
  end(): void {
    this.#restart(this.#through);
  }

  #restart(floor: number): void {
    this.#budget.left += this.#pairs.length / 2;
    this.#pairs.length = 0;
    this.#oldest = 0;
    this.#floor = floor;
  }
}
