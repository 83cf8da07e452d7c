import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';

/** Firings that may start in one turn of the event loop, of all bindings. */
const STARTS_PER_TURN = 256;

/**
 * Starts the firings of the whole engine, first come, first served: never within the call that asks for it, so that an event is in line
 * at all its bindings before one of them can cause the next; and only so many in one turn of the event loop, so that bindings which set
 * off each other leave it to everybody else.
 */
export class FiringScheduler {
  readonly #logger: Logger;
  #due: (() => Promise<void>)[] = [];
  #left = STARTS_PER_TURN;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Calls `run` in a later step. Its failure is logged, and the other firings go on. */
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
