interface Noted {
  /** When the page made the call: the number of answers in the order of the test. */
  readonly madeAt: number;
  readonly madeIn: number;
  runs: number;
  /** The answer, its place in the order of answers, and the cycle in which it came. */
  answer: { readonly n: number; readonly at: number; readonly cycle: number } | undefined;
}

/** Notes of the pages and the worker about the calls of a test that kills the engine. */
export class CallNotes {
  /** Faults of the engine. */
  readonly problems: string[] = [];
  /** How many calls have failed with each code. */
  readonly codes: Record<string, number> = {};
  answers = 0;
  /** Answers that the ledger did not have after the kill, because they came right before it. */
  unknown = 0;
  readonly #calls = new Map<string, Noted>();
  /** The cycle whose engine was killed last. Later answers are those of the next engine. */
  #killed = -1;
  #runs = 0;
  #waiting: { readonly cycle: number; readonly count: number; readonly resolve: () => void } | undefined;

  /** Notes a new call, and returns its key. */
  made(cycle: number): string {
    const key = `k${this.#calls.size}`;
    this.#calls.set(key, { madeAt: this.answers, madeIn: cycle, runs: 0, answer: undefined });
    return key;
  }

  /** Notes that the function runs. Returns the number of the run. */
  ran(key: string): number {
    const call = this.#of(key);
    if (++call.runs > 1) this.problems.push(`${key} ran ${call.runs} times`);
    return ++this.#runs;
  }

  answered(key: string, n: number, cycle: number): void {
    this.#of(key).answer = { n, at: ++this.answers, cycle: this.#killed === cycle ? cycle + 1 : cycle };
    const waiting = this.#waiting;
    if (waiting !== undefined && this.#inCycle(waiting.cycle).length >= waiting.count) waiting.resolve();
  }

  failed(_key: string, code: string): void {
    this.codes[code] = (this.codes[code] ?? 0) + 1;
  }

  /** Resolves when a cycle has this many answers. */
  answersIn(cycle: number, count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { cycle, count, resolve };
    });
  }

  killed(cycle: number): void {
    this.#killed = cycle;
  }

  /**
   * Checks the calls of a cycle, after the engine is back. `stored` has the runs whose write the store has. `repeat` sends a call again.
   *
   * The outcome of a call is stored with a later call. So an answer must be there if a later call was made after it and was answered before
   * the kill. The last answers before the kill may be unknown. No answer may be another one.
   */
  async check(cycle: number, stored: ReadonlyMap<string, number>, repeat: (key: string) => Promise<unknown>): Promise<void> {
    const answered = this.#inCycle(cycle);
    const lastMade = Math.max(0, ...answered.filter(({ call }) => call.madeIn === cycle).map(({ call }) => call.madeAt));
    for (const { key, answer } of answered)
      if (stored.get(key) !== answer.n) this.problems.push(`${key} was answered with ${answer.n}, and the store has ${stored.get(key)}`);
    for (let from = 0; from < answered.length; from += 16) {
      const some = answered.slice(from, from + 16);
      const again = await Promise.all(some.map(({ key }) => repeat(key)));
      for (const [index, { key, answer }] of some.entries()) {
        if (again[index] === answer.n) continue;
        if (again[index] === 'OUTCOME_UNKNOWN' && answer.at > lastMade) this.unknown++;
        else this.problems.push(`${key} was answered with ${answer.n}, and its repeat with ${String(again[index])}`);
      }
    }
  }

  summary(): string {
    const failed = Object.entries(this.codes).map(([code, count]) => `${count} ${code}`);
    return `${this.#calls.size} calls, ${this.#runs} runs, ${this.answers} answers (${this.unknown} unknown later), ${failed.join(', ')}`;
  }

  #inCycle(cycle: number) {
    return [...this.#calls].flatMap(([key, call]) => (call.answer?.cycle === cycle ? [{ key, call, answer: call.answer }] : []));
  }

  #of(key: string): Noted {
    const call = this.#calls.get(key);
    if (call === undefined) throw new Error(`nobody made the call ${key}`);
    return call;
  }
}
