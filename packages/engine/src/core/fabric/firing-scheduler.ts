import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';

/** Firings of all bindings that may start in one turn of the event loop. */
const STARTS_PER_TURN = 256;

/**
 * Starts the firings of the whole engine in the order of their requests.
 *
 * - A firing never starts inside the call that requests it. An event is therefore queued at all its bindings before one of them can cause
 *   the next event.
 * - At most `STARTS_PER_TURN` firings start in one turn of the event loop. Otherwise bindings that trigger each other would keep all other
 *   work waiting.
 */
export class FiringScheduler {
  readonly #logger: Logger;
  #due: (() => Promise<void>)[] = [];
  #left = STARTS_PER_TURN;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Calls `run` in a later step. An error is logged, and the other firings go on. */
  start(run: () => Promise<void>): void {
    this.#due.push(run);
    if (this.#due.length === 1 && this.#left > 0) queueMicrotask(() => this.#run());
  }

  #run(): void {
    if (this.#left === STARTS_PER_TURN) setImmediate(() => this.#nextTurn());
    const now = this.#due.splice(0, this.#left);
    this.#left -= now.length;
    for (const run of now) runInBackground(run(), this.#logger, 'trigger_firing');
  }

  #nextTurn(): void {
    this.#left = STARTS_PER_TURN;
    if (this.#due.length > 0) this.#run();
  }
}
