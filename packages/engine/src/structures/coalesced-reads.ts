import { PairMap } from './pair-map.js';

interface SharedRead<T> {
  readonly running: Promise<T>;
  next: Promise<T> | undefined;
}

/**
 * Shares reads between callers that want the same thing, which two names identify. At most one read of a thing runs at a time. Calls that
 * arrive during a read share the next one. So a result is never older than the call that receives it, and any number of calls that arrive
 * together cost at most two reads.
 */
export class CoalescedReads<T> {
  readonly #runs = new PairMap<SharedRead<T>>();

  /** Resolves with the result of a read that began after this call. Rejects if that read fails. */
  run(first: string, second: string, read: () => Promise<T>): Promise<T> {
    const run = this.#runs.get(first, second);
    if (run === undefined) return this.#begin(first, second, read);
    const next = () => this.#begin(first, second, read);
    run.next ??= run.running.then(next, next);
    return run.next;
  }

  #begin(first: string, second: string, read: () => Promise<T>): Promise<T> {
    const run: SharedRead<T> = { running: read(), next: undefined };
    this.#runs.set(first, second, run);
    const ended = () => {
      if (run.next === undefined) this.#runs.delete(first, second);
    };
    run.running.then(ended, ended);
    return run.running;
  }
}
