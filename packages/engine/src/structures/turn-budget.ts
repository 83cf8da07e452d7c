/** UTF-16 code units that are copied and encoded in a millisecond, about. */
const CHARS_PER_MS = 700_000;

/** Milliseconds of work after which other work of the same turn waits for the next one. */
const TURN_MS = 8;

/** What is shorter costs nearly nothing. */
const LEAST_CHARGE = 4_096;

type Now = () => number;

/**
 * Measures how long the main thread has worked since the event loop turned last. Work that may be put off asks before it begins, and
 * waits for the next turn when this one was long. Everybody who measures with the same clock shares one budget.
 */
export class TurnBudget {
  static readonly #budgets = new WeakMap<object, TurnBudget>();
  readonly #now: Now;
  #began: number | undefined;
  #charged = 0;
  #waiting: (() => void)[] = [];
  #released = 0;

  constructor(now: Now) {
    this.#now = now;
  }

  static of(clock: { monotonic(): number }): TurnBudget {
    let budget = TurnBudget.#budgets.get(clock);
    if (budget === undefined) {
      budget = new TurnBudget(() => clock.monotonic());
      TurnBudget.#budgets.set(clock, budget);
    }
    return budget;
  }

  /** Whether work that may be put off must wait: the turn was long, or others wait already. */
  get spent(): boolean {
    return this.#waiting.length > this.#released || this.over;
  }

  /** Whether this turn was long. Its first question begins the measurement. */
  get over(): boolean {
    return this.#used() >= TURN_MS;
  }

  /** Resolves in a later turn, in the order of the calls: as soon as that turn has time. */
  next(): Promise<void> {
    // The end of the measurement wakes who waits.
    this.#used();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Waits only if it must. */
  async free(): Promise<void> {
    if (this.spent) await this.next();
  }

  #used(): number {
    if (this.#began !== undefined) return this.#now() - this.#began + this.#charged;
    this.#began = this.#now();
    setImmediate(() => this.#turned());
    return 0;
  }

  /** A text of this length will be copied and encoded in this turn, such as an answer: that counts as done. */
  charge(chars: number): void {
    if (chars < LEAST_CHARGE) return;
    this.#used();
    this.#charged += chars / CHARS_PER_MS;
  }

  /** Waits for a turn that has time, in which such a text may be handed out. */
  async pay(chars: number): Promise<void> {
    await this.free();
    this.charge(chars);
  }

  #turned(): void {
    this.#began = undefined;
    this.#charged = 0;
    this.#release();
  }

  /** Wakes one after the other, each when the work of the one before it in this turn has ended. */
  #release(): void {
    const wake = this.#waiting[this.#released];
    if (wake === undefined) {
      this.#waiting = [];
      this.#released = 0;
      return;
    }
    if (this.over) return;
    this.#released++;
    wake();
    // A tick that is asked for by a promise runs when no promise has anything left to do.
    queueMicrotask(() => process.nextTick(() => this.#release()));
  }
}
