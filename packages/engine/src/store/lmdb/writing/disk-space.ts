import { RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../../../logging/background.js';
import type { Logger } from '../../../logging/logger.js';
import { Ballast } from '../env/ballast-file.js';
import { type DiskSpace, diskSpace } from '../env/free-space.js';

/** When a store on a disk that fills up refuses writes. */
export interface SpaceLimits {
  /** Below it writes are refused, in bytes. 0: never for this reason. */
  readonly minFreeBytes: number;
  /** The same in percent of the whole disk; the larger of the two counts. */
  readonly minFreePercent: number;
  /** Room that is kept for deletes, in bytes. 0: none. */
  readonly ballastBytes: number;
}

export const DEFAULT_SPACE: SpaceLimits = { minFreeBytes: 67_108_864, minFreePercent: 2, ballastBytes: 16_777_216 };

/** More than one change can add to the data file, its value aside: a path of pages in each table that it touches. */
export const CHANGE_BYTES = 131_072;
/** The same of a record that is written alone, such as the head of a group. */
export const RECORD_BYTES = 16_384;
/** A value is written once, or twice with what is kept for repeated calls; UTF-16 code units may take three bytes. */
const BYTES_PER_CHARACTER = 6;

/** How long a look at the disk counts while there is plenty of room. */
const LOOK_MS = 250;
/** Less than any disk takes in that time: with less above the watermark, each transaction looks. */
const PLENTY_BYTES = 4_294_967_296;
/** With less above the watermark the ballast is laid before the store opens, else soon after. */
const NEAR_BYTES = 1_073_741_824;

/** A transaction takes one at most: the store of streams and that of state may write to one disk at once, and others do too. */
const SHARES = 3;

/** The most that any margin around the watermark takes: on a large disk a share of the watermark would be much. */
const MARGIN_BYTES = 67_108_864;

/** What a change of a value of this many UTF-16 code units can add to the data file at most. */
export function costOf(characters: number): number {
  return CHANGE_BYTES + characters * BYTES_PER_CHARACTER;
}

export function storeFull(): RivuletError {
  return new RivuletError('STORE_FULL', 'the disk of the store is nearly full, nothing was written; give it room or delete items');
}

export interface StoreRoomOptions {
  readonly path: string;
  readonly limits: SpaceLimits;
  /** Bytes of the data file that hold nothing and are used before it grows. */
  readonly reusableBytes: () => number;
  readonly monotonic: () => number;
  readonly logger: Logger;
}

/**
 * Sees to it that the environment never meets a full disk, which it would not survive: refuses in time, and holds each transaction to
 * a share of what is free. Room that deletes have made inside the data file counts, as the file never shrinks.
 */
export class StoreRoom {
  readonly #options: StoreRoomOptions;
  readonly #ballast: Ballast;
  #space: DiskSpace | undefined;
  #watermark = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #spent = 0;
  #full = false;
  /** The ballast was let go in this shortage, which isn't over before there is room for it again. */
  #lent = 0;

  constructor(options: StoreRoomOptions) {
    this.#options = options;
    this.#ballast = new Ballast(options.path, options.limits.ballastBytes);
    this.#look();
  }

  /** Only what makes room is written. */
  get full(): boolean {
    return this.#full;
  }

  /** Before a transaction: what it may add to the data file at most, in bytes. While the store is full it is for what makes room. */
  forNext(): number {
    if (this.#isDue()) this.#look();
    return this.#budget();
  }

  /** The same for what makes room: lets the ballast go when there is no other. */
  forDeletes(): number {
    this.#look();
    if (this.#budget() < CHANGE_BYTES && this.#ballast.release()) {
      this.#lent = this.#ballast.bytes;
      this.#options.logger.warn('store_ballast_released', { path: this.#options.path, consequence: 'deletes go on for a while' });
      this.#look();
    }
    return this.#budget();
  }

  /** A transaction may have added this much. */
  spend(bytes: number): void {
    this.#spent += bytes;
  }

  /** From time to time, so that the end of a shortage is noticed and the ballast is laid again. Never throws. */
  tick(): void {
    this.#look();
    if (this.#mayLay()) runInBackground(this.#ballast.lay(), this.#options.logger, 'store_ballast');
  }

  /** Before the store opens. */
  async prepare(): Promise<void> {
    if (this.#mayLay() && (this.#space?.freeBytes ?? 0) - this.#watermark < NEAR_BYTES) await this.#ballast.lay();
  }

  close(): Promise<void> {
    return this.#ballast.close();
  }

  #mayLay(): boolean {
    if (this.#ballast.laid || this.#full || this.#space === undefined) return false;
    return this.#space.freeBytes >= this.#watermark + Math.min(this.#watermark / 8, MARGIN_BYTES) + this.#ballast.bytes;
  }

  #budget(): number {
    if (this.#space === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#space.freeBytes - this.#spent) / SHARES;
  }

  #isDue(): boolean {
    if (this.#options.monotonic() - this.#lookedAt >= LOOK_MS) return true;
    if (this.#space === undefined || (this.#full && this.#spent === 0)) return false;
    const above = this.#space.freeBytes - this.#watermark;
    return above < PLENTY_BYTES || this.#spent > above / 4;
  }

  #look(): void {
    const { path, limits, monotonic } = this.#options;
    this.#space = diskSpace(path);
    this.#lookedAt = monotonic();
    this.#spent = 0;
    if (this.#space === undefined) return this.#become(false);
    const { freeBytes, totalBytes } = this.#space;
    this.#watermark = Math.max(limits.minFreeBytes, (totalBytes * limits.minFreePercent) / 100);
    // What is reusable may lie in pieces too small for a value, so some of it must be free on the disk all the same.
    const floor = Math.min(this.#watermark / 4, MARGIN_BYTES);
    // So that a store on the edge doesn't change its mind at each look.
    const edge = this.#full ? Math.min(this.#watermark / 16, MARGIN_BYTES) : 0;
    const needed = this.#watermark + this.#lent + edge;
    if (freeBytes >= needed) return this.#become(false);
    if (freeBytes < floor + this.#lent + edge) return this.#become(true);
    this.#become(freeBytes + this.#options.reusableBytes() < needed);
  }

  #become(full: boolean): void {
    if (full === this.#full) return;
    this.#full = full;
    if (!full) this.#lent = 0;
    const { path, logger } = this.#options;
    const fields = { path, freeBytes: this.#space?.freeBytes, neededBytes: Math.ceil(this.#watermark) };
    if (full)
      logger.error('store_full', { ...fields, code: 'STORE_FULL', consequence: 'writes are refused, deletes go on; give the disk room' });
    else logger.info('store_has_room', fields);
  }
}
