import type { Clock } from '../../../structures/clock.js';
import type { CallRecords } from './call-records.js';

/** The time in which a repeat travels and waits, in milliseconds. */
const TRAVEL_MS = 30_000;
/** Most difference between the wall clocks of two engines, and between two runs of one engine, in milliseconds. */
const SKEW_MS = 60_000;

interface KnownEpoch {
  /** Monotonic milliseconds at which this engine met the epoch. */
  readonly metAt: number;
  /** How old the epoch surely was then. */
  readonly ageMs: number;
}

/**
 * Knows since when the store has lost no record. A store that lost records has a new epoch (store contract). The first engine that meets an
 * epoch notes the time in the store. An epoch without a note is new.
 */
export class LedgerAge {
  readonly #records: CallRecords;
  readonly #clock: Clock;
  readonly #epochs = new Map<string, KnownEpoch>();

  constructor(records: CallRecords, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** Meets the epochs of all groups. Call it when the store is open, so that the epochs grow old before the first repeat. */
  async meetAll(): Promise<void> {
    for (const epoch of await this.#records.epochs()) await this.#meet(epoch);
  }

  /** Returns whether the store has every record that it has taken in a group in the last `ms` milliseconds, and names its epoch. */
  async covers(group: string, ms: number): Promise<{ readonly epoch: string; readonly isCovered: boolean }> {
    const epoch = await this.#records.epochOf(group);
    const { metAt, ageMs } = this.#epochs.get(epoch) ?? (await this.#meet(epoch));
    return { epoch, isCovered: ms + TRAVEL_MS < ageMs + this.#clock.monotonic() - metAt };
  }

  async #meet(epoch: string): Promise<KnownEpoch> {
    const metAt = this.#clock.monotonic();
    const now = this.#clock.now();
    const notedAt = await this.#records.noteEpoch(epoch, now);
    const known = { metAt, ageMs: Math.max(0, now - notedAt - SKEW_MS) };
    this.#epochs.set(epoch, known);
    return known;
  }
}
