import type { CommandContext } from './command.js';

/** Milliseconds between two lines of progress. */
const PACE_MS = 200;
const CLEAR_LINE = '\r\u001b[K';

/** Shows on a terminal how far a command is, in one line that it writes again and again. Writes nothing anywhere else. */
export class Progress {
  readonly #context: CommandContext;
  readonly #now: () => number;
  #shownAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  /** `now` returns monotonic milliseconds. */
  constructor(context: CommandContext, now: () => number = () => performance.now()) {
    this.#context = context;
    this.#now = now;
  }

  /** Shows a line, at most five in a second. `line` is called only if it is shown. */
  report(line: () => string): void {
    if (!this.#context.isTerminal) return;
    const now = this.#now();
    if (now - this.#shownAt < PACE_MS) return;
    this.#shownAt = now;
    this.#shown = true;
    this.#context.err(`${CLEAR_LINE}${line()}`);
  }

  /** Removes the line. Call it before the command writes anything else. */
  end(): void {
    if (this.#shown) this.#context.err(CLEAR_LINE);
    this.#shown = false;
  }
}
