import { type Clock, systemClock } from '../structures/clock.js';

const LINE_MS = 60_000;

/** A line of the log for what may happen again and again: the first time at once, then at most once a minute. */
export class RepeatedLine {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #times = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'monotonic'> = systemClock) {
    this.#clock = clock;
  }

  /** It happened. `write` gets how often since the last line, this time included; it is not called when there was one within the minute. */
  add(write: (times: number) => void): void {
    this.#times++;
    const now = this.#clock.monotonic();
    if (now - this.#writtenAt < LINE_MS) return;
    const times = this.#times;
    this.#writtenAt = now;
    this.#times = 0;
    write(times);
  }
}
