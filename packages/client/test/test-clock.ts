import type { Clock } from '../src/connection/clock.js';

/** A clock that the test moves. */
export class TestClock implements Clock {
  #now = 0;
  #timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  #next = 0;

  now(): number {
    return this.#now;
  }

  setTimer(run: () => void, ms: number): number {
    this.#timers.set(++this.#next, { at: this.#now + ms, run });
    return this.#next;
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  get pending(): number {
    return this.#timers.size;
  }

  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].run();
    }
    this.#now = end;
  }
}
