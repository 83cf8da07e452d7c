import { RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../../../logging/background.js';
import type { Logger } from '../../../logging/logger.js';
import { Ballast } from '../env/ballast-file.js';
import { type DiskSpace, diskSpace } from '../env/free-space.js';

/** When a store refuses writes because its disk is nearly full. */
export interface SpaceLimits {
  /** The store refuses writes below this much free space, in bytes. 0: no such limit. */
  readonly minFreeBytes: number;
  /** The same in percent of the whole disk. The larger limit counts. */
  readonly minFreePercent: number;
  /** Size of the ballast file, in bytes: its space is kept for deletes on a full disk. 0: no ballast. */
  readonly ballastBytes: number;
}

export const DEFAULT_SPACE: SpaceLimits = { minFreeBytes: 67_108_864, minFreePercent: 2, ballastBytes: 16_777_216 };

/** An upper bound for what one change adds to the data file, without its value: a path of pages in each table that it changes. */
export const CHANGE_BYTES = 131_072;
/** The same for a record that is written alone, such as the head of a group. */
export const RECORD_BYTES = 16_384;
/** The store may write a value twice, and a UTF-16 code unit takes up to three bytes. */
const BYTES_PER_CHARACTER = 6;

/** How long a measurement of the disk counts while there is plenty of space. */
const MEASURE_MS = 250;
/** More than any disk can write within `MEASURE_MS`. With less above the watermark, each transaction measures. */
const PLENTY_BYTES = 4_294_967_296;
/** With less above the watermark, the store writes the ballast file before it opens; otherwise soon after. */
const NEAR_BYTES = 1_073_741_824;

/** A transaction takes at most this part of the free space: two stores and other programs may write to the same disk at the same time. */
const SHARES = 3;

/** The largest margin around the watermark: on a large disk, a share of the watermark would be too much. */
const MARGIN_BYTES = 67_108_864;

/** Returns an upper bound for what a change of a value of this many UTF-16 code units adds to the data file, in bytes. */
export function costOf(characters: number): number {
  return CHANGE_BYTES + characters * BYTES_PER_CHARACTER;
}

export function storeFull(): RivuletError {
  return new RivuletError('STORE_FULL', 'the disk of the store is nearly full, nothing was written; give it room or delete items');
}

export interface DiskBudgetOptions {
  readonly path: string;
  readonly limits: SpaceLimits;
  /** Returns the bytes of the data file that hold nothing. LMDB uses them before the file grows. */
  readonly reusableBytes: () => number;
  /** Returns monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly logger: Logger;
}

/**
 * Keeps the environment away from a full disk, on which LMDB would crash the process. It refuses writes before the disk is full, and limits
 * each transaction to a share of the free space. The data file never shrinks, so space that deletes have freed inside the file counts too.
 *
 * States:
 *
 * - Has space: writes and deletes go on.
 * - Full: free and reusable space are below the watermark. Writes fail with STORE_FULL; deletes go on.
 * - Full, ballast released: a delete found no space, so it uses the space of the ballast. This state ends when the disk has space for the
 *   watermark and for the ballast.
 */
export class DiskBudget {
  readonly #options: DiskBudgetOptions;
  readonly #ballast: Ballast;
  #space: DiskSpace | undefined;
  #watermark = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;
  /** Bytes that transactions may have added since the measurement. */
  #spent = 0;
  #full = false;
  /** Size of the ballast when this shortage has released it. The shortage ends only when the disk has space for the ballast again. */
  #lent = 0;

  constructor(options: DiskBudgetOptions) {
    this.#options = options;
    this.#ballast = new Ballast(options.path, options.limits.ballastBytes);
    this.#measure();
  }

  /** The store takes only writes that free space. */
  get full(): boolean {
    return this.#full;
  }

  /** The free bytes of the disk now, and those below which the store is full. Both for operators. */
  get room(): { readonly freeBytes: number | undefined; readonly neededBytes: number } {
    if (this.#isDue()) this.#measure();
    return { freeBytes: this.#space?.freeBytes, neededBytes: Math.ceil(this.#watermark) };
  }

  /** An estimate of the free bytes of the disk. */
  get freeBytes(): number {
    return this.#space === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.#space.freeBytes - this.#spent);
  }

  /** Returns how many bytes the next transaction may add to the data file. While the store is full, only deletes may use them. */
  forNext(): number {
    if (this.#isDue()) this.#measure();
    return this.#budget();
  }

  /** Returns the same for writes that free space. Releases the ballast when the disk has no other space. */
  forDeletes(): number {
    this.#measure();
    if (this.#budget() < CHANGE_BYTES && this.#ballast.release()) {
      this.#lent = this.#ballast.bytes;
      this.#options.logger.warn('store_ballast_released', { path: this.#options.path, consequence: 'deletes go on for a while' });
      this.#measure();
    }
    return this.#budget();
  }

  /** Counts bytes that a transaction may have added. A negative number gives back bytes that it did not use. */
  spend(bytes: number): void {
    this.#spent += bytes;
  }

  /** Notices the end of a shortage, and writes the ballast file again. A timer calls it. Never throws. */
  tick(): void {
    this.#measure();
    if (this.#mayLay()) runInBackground(this.#ballast.lay(), this.#options.logger, 'store_ballast');
  }

  /** Writes the ballast file when the disk is nearly full. Call it before the store opens. */
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
    return this.freeBytes / SHARES;
  }

  #isDue(): boolean {
    if (this.#options.monotonic() - this.#measuredAt >= MEASURE_MS) return true;
    if (this.#space === undefined || (this.#full && this.#spent === 0)) return false;
    const above = this.#space.freeBytes - this.#watermark;
    return above < PLENTY_BYTES || this.#spent > above / 4;
  }

  #measure(): void {
    const { path, limits, monotonic } = this.#options;
    this.#space = diskSpace(path);
    this.#measuredAt = monotonic();
    this.#spent = 0;
    if (this.#space === undefined) return this.#become(false);
    const { freeBytes, totalBytes } = this.#space;
    this.#watermark = Math.max(limits.minFreeBytes, (totalBytes * limits.minFreePercent) / 100);
    // Reusable space may consist of pieces that are too small for a value, so some space on the disk must be free too.
    const floor = Math.min(this.#watermark / 4, MARGIN_BYTES);
    // A store at the watermark must not change its state with each measurement.
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
