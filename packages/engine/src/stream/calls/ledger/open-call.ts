import type { CallOutcome } from '../call-ledger.js';
import type { CallEnd } from './call-end.js';
import type { CallPlace } from './call-records.js';

/** A call that this engine decides about or runs. Repeats wait for it. */
export class OpenCall {
  readonly place: CallPlace;
  /** Resolves when the call ended. Rejects when the ledger could not decide about it. */
  readonly ended: Promise<CallEnd>;
  readonly fail: (error: unknown) => void;
  /** The number of the attempt that this engine runs, and the monotonic milliseconds at which it began; `undefined` before. */
  running: { readonly attempt: number; readonly since: number } | undefined;
  /** The outcome, from the moment when it is known; `undefined` before, and when the call ended without one. */
  outcome: CallOutcome | undefined;
  readonly #resolve: (end: CallEnd) => void;
  /** Beats that the store has. */
  beats = 0;
  /** A beat is on its way to the store. */
  isBeating = false;

  constructor(place: CallPlace) {
    this.place = place;
    let resolve: (end: CallEnd) => void = () => {};
    let reject: (error: unknown) => void = () => {};
    this.ended = new Promise((fulfil, refuse) => {
      resolve = fulfil;
      reject = refuse;
    });
    // Most calls have no repeat, so nobody waits for a failure here.
    this.ended.catch(() => {});
    this.#resolve = resolve;
    this.fail = reject;
  }

  /** Only the first end counts. */
  end(end: CallEnd): void {
    if (end.kind === 'ended') this.outcome ??= end.outcome;
    this.#resolve(end);
  }
}
