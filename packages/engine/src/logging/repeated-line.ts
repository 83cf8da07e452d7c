import { type Clock, systemClock } from '../structures/clock.js';

const LINE_MS = 60_000;

/** A log line for an event that may repeat often. It is written the first time at once, and later at most once a minute. */
export class RepeatedLine {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #times = 0;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'monotonic'> = systemClock) {
    this.#clock = clock;
  }

  /** Notes the event. If a line is due, it calls `write` with the number of events since the last line, including this one. */
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
