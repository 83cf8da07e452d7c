import type { EngineClock, EngineTimer, EngineTimers } from './engine-module.js';

/** Steps of one move, at most. A move of a week would otherwise run each sweep of the engine millions of times. */
const MOST_STEPS = 500;

interface Timer extends EngineTimer {
  /** Milliseconds of the clock at which it is due. */
  due: number;
  readonly run: () => void;
  /** Milliseconds between two runs; `undefined`: it runs once. */
  readonly period: number | undefined;
}

/**
 * A clock that stands still until it is moved. Its timers run when a move reaches them, in the order in which they are due. Rates follow
 * the real time, because they protect the engine from its peers, which are real.
 */
export class MovedClock implements EngineClock {
  readonly timers: EngineTimers;
  readonly pace = { monotonic: () => performance.now() };
  readonly #timers = new Set<Timer>();
  /** Unix milliseconds at monotonic 0. */
  readonly #base: number;
  #monotonic: number;

  constructor(now: number) {
    this.#monotonic = Math.ceil(performance.now());
    this.#base = now - this.#monotonic;
    this.timers = {
      once: (milliseconds, run) => this.#add(milliseconds, run, undefined),
      every: (milliseconds, run) => this.#add(milliseconds, run, milliseconds),
      cancel: (timer) => {
        this.#timers.delete(timer as Timer);
      },
    };
  }

  now(): number {
    return this.#base + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Moves the clock. `settle` resolves when the work that the timers of one moment began has ended. */
  async advance(milliseconds: number, settle: () => Promise<void>): Promise<void> {
    const target = this.#monotonic + milliseconds;
    const leastPause = milliseconds / MOST_STEPS;
    for (let next = this.#nextDue(target); next !== undefined; next = this.#nextDue(target)) {
      this.#monotonic = Math.max(this.#monotonic, next);
      for (const timer of this.#due()) this.#run(timer, leastPause);
      await settle();
    }
    this.#monotonic = target;
    // A sweep does what is due now, although its next turn comes later.
    for (const timer of Array.from(this.#timers)) if (timer.period !== undefined) timer.run();
    await settle();
  }

  #add(milliseconds: number, run: () => void, period: number | undefined): Timer {
    const timer = { due: this.#monotonic + Math.max(0, milliseconds), run, period, unref: () => timer };
    this.#timers.add(timer);
    return timer;
  }

  #nextDue(target: number): number | undefined {
    let first: number | undefined;
    for (const { due } of this.#timers) if (due <= target && (first === undefined || due < first)) first = due;
    return first;
  }

  #due(): readonly Timer[] {
    return Array.from(this.#timers).filter(({ due }) => due <= this.#monotonic);
  }

  #run(timer: Timer, leastPause: number): void {
    // An earlier timer of this moment may have ended it.
    if (!this.#timers.has(timer)) return;
    if (timer.period === undefined) this.#timers.delete(timer);
    else timer.due = this.#monotonic + Math.max(timer.period, leastPause);
    timer.run();
  }
}
