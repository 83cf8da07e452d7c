/** The place of one call in the order of its session. */
export interface StartTurn {
  /** Runs `start` when no earlier call waits for the ledger any more. Runs it at once after `leave`. */
  start(start: () => void): void;
  /** Lets later calls start, because this one does not start now. Idempotent. */
  leave(): void;
}

/**
 * Lets the calls of one session start in the order in which they came. The ledger needs longer for a repeat than for a first sending, so
 * without it a later call could start before an earlier one. A call keeps its place only while the ledger decides about it.
 */
export class StartOrder {
  /** In the order of the calls. `start` is absent until the ledger has decided. */
  readonly #turns = new Set<{ start?: () => void }>();

  /** Takes the place behind all calls that came before. */
  take(): StartTurn {
    const turn: { start?: () => void } = {};
    this.#turns.add(turn);
    return {
      start: (start) => {
        if (!this.#turns.has(turn)) return start();
        turn.start = start;
        this.#advance();
      },
      leave: () => {
        if (this.#turns.delete(turn)) this.#advance();
      },
    };
  }

  #advance(): void {
    for (const turn of this.#turns) {
      if (turn.start === undefined) return;
      this.#turns.delete(turn);
      turn.start();
    }
  }
}
