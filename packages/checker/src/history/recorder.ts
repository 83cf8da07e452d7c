import type { NewOp, Op } from './op.js';

/** Adds a number and a time to every operation, from one clock that never goes back. */
export class Recorder {
  readonly #microseconds: () => number;
  readonly #sink: (op: Op) => void;
  #count = 0;
  #last = 0;

  /** `microseconds` reads the clock, whose zero may be any moment. `sink` receives the operations in order. */
  constructor(microseconds: () => number, sink: (op: Op) => void) {
    this.#microseconds = microseconds;
    this.#sink = sink;
  }

  /** Returns a recorder with the monotonic clock of this process. */
  static monotonic(sink: (op: Op) => void): Recorder {
    const begun = process.hrtime.bigint();
    return new Recorder(() => Number((process.hrtime.bigint() - begun) / 1_000n), sink);
  }

  /** Number of operations so far. */
  get count(): number {
    return this.#count;
  }

  record(op: NewOp): void {
    this.#last = Math.max(this.#last, this.#microseconds());
    this.#sink({ i: ++this.#count, t: this.#last, ...op } as Op);
  }
}

/** Returns a history as text, with one operation in JSON on each line. */
export function writeHistory(ops: Iterable<Op>): string {
  let text = '';
  for (const op of ops) text += `${JSON.stringify(op)}\n`;
  return text;
}
