/** UTF-16 code units that the engine copies and encodes in a millisecond, roughly. */
const CHARS_PER_MS = 700_000;

/** Milliseconds of work in one turn of the event loop, after which deferrable work waits for a later turn. */
const TURN_MS = 6;

/** Texts below this length, in UTF-16 code units, are not charged. Their cost is negligible. */
const LEAST_CHARGE = 4_096;

type Now = () => number;

/**
 * Spreads work over turns of the event loop. It measures how long the main thread has worked in this turn. Deferrable work awaits `free()`
 * before it begins, and so waits for a later turn when this turn has used up `TURN_MS`. All users of one clock share one budget.
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

  /** Returns the budget that all users of this clock share. */
  static of(clock: { monotonic(): number }): TurnBudget {
    let budget = TurnBudget.#budgets.get(clock);
    if (budget === undefined) {
      budget = new TurnBudget(() => clock.monotonic());
      TurnBudget.#budgets.set(clock, budget);
    }
    return budget;
  }

  /** Whether deferrable work must wait, because this turn has used up its time or other work waits already. */
  get spent(): boolean {
    return this.#waiting.length > this.#released || this.over;
  }

  /** Whether this turn has used up its time. The first read in a turn begins the measurement. */
  get over(): boolean {
    return this.#used() >= TURN_MS;
  }

  /** Resolves in a later turn that has time. Calls resolve in their order. */
  next(): Promise<void> {
    // This begins a measurement. Its end wakes the callers that wait.
    this.#used();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Resolves at once when this turn has time, otherwise in a later turn. With fewer milliseconds than a turn has, it leaves the rest of the
   * turn to others.
   */
  async free(mostMs = TURN_MS): Promise<void> {
    if (this.#waiting.length > this.#released || this.#used() >= mostMs) await this.next();
  }

  #used(): number {
    if (this.#began !== undefined) return this.#now() - this.#began + this.#charged;
    this.#began = this.#now();
    setImmediate(() => this.#turned());
    return 0;
  }

  /** Counts the cost of a text that the engine will copy and encode in this turn. `chars` is its length in UTF-16 code units. */
  charge(chars: number): void {
    if (chars < LEAST_CHARGE) return;
    this.#used();
    this.#charged += chars / CHARS_PER_MS;
  }

  /** Waits for a turn that has time, then charges it for a text of this length. */
  async pay(chars: number): Promise<void> {
    // Without a wait the charge counts at once: callers that share a text ask in the same moment, and each must see the charges before it.
    if (this.spent) await this.next();
    this.charge(chars);
  }

  #turned(): void {
    this.#began = undefined;
    this.#charged = 0;
    this.#release();
  }

  /** Wakes the waiting callers one by one. Each wakes after the previous one has done its work in this turn. */
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
    // The tick is scheduled from a microtask, so it runs after all pending promise callbacks. These include the work of the woken caller.
    queueMicrotask(() => process.nextTick(() => this.#release()));
  }
}
