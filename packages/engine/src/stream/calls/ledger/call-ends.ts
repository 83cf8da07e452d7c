import { type Clock, type ClockTimer, type ClockTimers, timersOf } from '../../../structures/clock.js';
import type { StoredEnd } from './call-end.js';
import type { CallPlace, CallRecords } from './call-records.js';

/** The longest time for which an outcome waits for a claim, in milliseconds. */
const LONGEST_WAIT_MS = 20;

/**
 * Stores how calls ended. An outcome waits for the next claim, so that both share one sync of the disk. Otherwise a page that makes one
 * call after another would pay two syncs for each: the claim of a call would wait for the end of the call before it.
 *
 * The answer of a call does not wait for its end to be stored. The claim is durable before the function runs, and that alone lets it run
 * at most once. A client repeats only a call whose answer has not arrived. So a crash loses an outcome that somebody still wants only if
 * the answer is on its way at that moment; then the repeat gets OUTCOME_UNKNOWN. If the answer waited for the disk, the same crash would
 * lose it too, because the end would not be stored then. The waiting makes this moment longer by `LONGEST_WAIT_MS` at most.
 *
 * Engines that share a store wait for the ends of each other, and their stores do not sync. So no end waits there.
 */
export class CallEnds {
  readonly #records: CallRecords;
  readonly #timers: ClockTimers;
  readonly #isShared: boolean;
  #waiting: (() => void)[] = [];
  #timer: ClockTimer | undefined;
  #isClosed = false;

  /** `isShared`: whether other engines may use the store at the same time. */
  constructor(records: CallRecords, clock: Clock, isShared: boolean) {
    this.#records = records;
    this.#timers = timersOf(clock);
    this.#isShared = isShared;
  }

  /** Stores an end. Rejects when the store does not take it. */
  store(place: CallPlace, attempt: number, end: StoredEnd): Promise<void> {
    if (this.#isShared || this.#isClosed || end.kind !== 'ended') return this.#records.storeEnd(place, attempt, end);
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        this.#records.storeEnd(place, attempt, end).then(resolve, reject);
      });
      this.#timer ??= this.#timers.once(LONGEST_WAIT_MS, () => this.flush());
    });
  }

  /** Writes the ends that wait, within this call. A claim that follows in the same turn shares their transaction. */
  flush(): void {
    this.#timers.cancel(this.#timer);
    this.#timer = undefined;
    for (const write of this.#waiting.splice(0)) write();
  }

  /** Writes the ends that wait. Later ones do not wait. */
  close(): void {
    this.#isClosed = true;
    this.flush();
  }
}
