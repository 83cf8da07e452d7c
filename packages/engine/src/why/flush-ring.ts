import { LIMITS } from '@rivulet/protocol';

/**
 * The last flushes of one group: up to which offset each went, and when. It has one pair of numbers for each flush of the group, however
 * many subscribers the group has, and grows with its flushes.
 */
export class FlushRing {
  readonly #most: number;
  /** Pairs of an offset and monotonic milliseconds. */
  readonly #pairs: number[] = [];
  /** Place of the oldest pair, once the ring is full. */
  #oldest = 0;
  /** Offset after which every flush is known. */
  #floor = 0;
  #through = -1;

  /** `most`: most flushes. @default LIMITS.whyFlushes */
  constructor(most: number = LIMITS.whyFlushes) {
    this.#most = most * 2;
  }

  /** Records a flush of the changes after `from` up to `through`. */
  add(from: number, through: number, at: number): void {
    if (from !== this.#through) this.#restart(from);
    this.#through = through;
    // A whole number costs no memory beside its place.
    const time = Math.floor(at);
    if (this.#pairs.length < this.#most) {
      this.#pairs.push(through, time);
      return;
    }
    this.#floor = this.#pairs[this.#oldest] ?? 0;
    this.#pairs[this.#oldest] = through;
    this.#pairs[this.#oldest + 1] = time;
    this.#oldest = (this.#oldest + 2) % this.#most;
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

  #restart(floor: number): void {
    this.#pairs.length = 0;
    this.#oldest = 0;
    this.#floor = floor;
  }
}
