import type { Logger } from '../../../logging/logger.js';
import type { Clock } from '../../../structures/clock.js';
import type { StoredEnd } from './call-end.js';
import type { CallPlace, CallRecords } from './call-records.js';
import type { OpenCall } from './open-call.js';

/** Pause between two beats of a running call, in milliseconds. */
const BEAT_MS = 2_000;
/** An engine without a beat for this long is dead, in milliseconds. */
const SILENCE_MS = 6_000;
/** The pause between two reads of a waiting repeat grows from the first value to the second, in milliseconds. */
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 500;

export type Sleep = (milliseconds: number) => Promise<void>;

export interface CallBeatsOptions {
  readonly records: CallRecords;
  /** The open calls of this engine, by the id of their place. */
  readonly open: ReadonlyMap<string, OpenCall>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly sleep: Sleep;
  readonly logger: Logger;
  /** Longest time for which a repeat waits, in milliseconds. */
  readonly waitMs: number;
}

/**
 * Shows other engines which calls still run here, and waits for calls of other engines.
 *
 * A call that runs for long gets a new record every two seconds. A waiting repeat counts these records, and needs no clock of the other
 * engine. It takes the engine for dead when no record came for six seconds.
 */
export class CallBeats {
  readonly #options: CallBeatsOptions;
  #isShowing = false;
  #isClosed = false;

  constructor(options: CallBeatsOptions) {
    this.#options = options;
  }

  /** Shows the open calls until none is left. */
  async show(): Promise<void> {
    if (this.#isShowing) return;
    this.#isShowing = true;
    const { open, sleep } = this.#options;
    while (open.size > 0 && !this.#isClosed) {
      await sleep(BEAT_MS);
      if (!this.#isClosed) for (const call of open.values()) this.#beat(call);
    }
    this.#isShowing = false;
  }

  /**
   * Waits until an attempt at another engine has ended, and resolves with its end. Resolves with `dead` when that engine seems to be dead,
   * and with `late` when the attempt runs for too long, or when this engine stops.
   */
  async waitFor(place: CallPlace, attempt: number): Promise<StoredEnd | 'dead' | 'late'> {
    const { records, clock, sleep, waitMs } = this.#options;
    const until = clock.monotonic() + waitMs;
    let beats = 0;
    let livedAt = clock.monotonic();
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      await sleep(pause);
      if (this.#isClosed) return 'late';
      // The time before the reads, because this process may stand still between them.
      const now = clock.monotonic();
      const end = await records.findEnd(place, attempt);
      if (end !== undefined) return end;
      for (; await records.hasBeat(place, attempt, beats); beats++) livedAt = clock.monotonic();
      if (now - livedAt >= SILENCE_MS) return 'dead';
      if (now >= until) return 'late';
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  #beat(call: OpenCall): void {
    const { records, clock, logger } = this.#options;
    const { running, place, beats, isBeating } = call;
    if (running === undefined || isBeating || clock.monotonic() - running.since < BEAT_MS) return;
    call.isBeating = true;
    records
      .beat(place, running.attempt, beats)
      .then(() => {
        call.beats++;
      })
      // The store is unavailable. The next beat tries again.
      .catch((error: unknown) => logger.debug('call_beat_failed', { error }))
      .finally(() => {
        call.isBeating = false;
      });
  }
}
