import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../../logging/logger.js';
import type { Clock } from '../../../structures/clock.js';
import type { MonotonicWallClock } from '../../../structures/monotonic-wall-clock.js';
import type { Change } from '../../store.js';
import { type LmdbEnvironment, ReadViewError, TransactionAbortedError } from '../env/environment.js';
import type { HeadCache } from '../tables/head-cache.js';
import { KeyLedger } from '../tables/idempotency-keys.js';
import { type StoreState, writeState } from '../tables/store-meta.js';
import { CHANGE_BYTES, costOf, type StoreRoom } from '../writing/disk-space.js';
import type { Tables } from '../writing/write-batch.js';
import { type Due, dueItems, EXPIRED_AT_ONCE, firstExpiry, isDamage, releaseHeld } from './expiry.js';
import { SWEPT_AT_ONCE, type Sweep, sweepTombstones } from './tombstone-sweep.js';

const SILENCE_MS = 60_000;

interface MaintenanceDeps {
  readonly environment: LmdbEnvironment;
  readonly tables: Tables;
  readonly heads: HeadCache;
  readonly state: StoreState;
  readonly room: StoreRoom;
  readonly time: MonotonicWallClock;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly path: string;
  readonly tombstoneRetentionMs: number;
  /** When the first item goes, as it was at the start. */
  readonly firstExpiry: number;
  /** Whether items were held in an earlier run. */
  readonly held: boolean;
  /** Writes as `apply` does, ahead of what is queued; answers what each of them failed with, if it did. Never rejects. */
  readonly write: (changes: readonly Change[]) => Promise<readonly unknown[]>;
  /** The store can't be written to any more. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * What the store does by itself between the batches of others, a bounded part at a time: it deletes items whose time has come, and
 * forgets tombstones and idempotency keys whose time is over.
 */
export class Upkeep {
  readonly #parts: MaintenanceDeps;
  readonly #startedAt: number;
  #sweepDue = false;
  #expiryDue = false;
  #heldDue: boolean;
  /** Nothing goes before; a store without times to live is not looked at. */
  #nextExpiry: number;
  #silentUntil = Number.NEGATIVE_INFINITY;
  /** Where the next sweep goes on in the heads. */
  #nextHead: Buffer | undefined;

  constructor(parts: MaintenanceDeps) {
    this.#parts = parts;
    this.#startedAt = parts.time.now();
    this.#nextExpiry = parts.firstExpiry;
    this.#heldDue = parts.held;
  }

  get due(): boolean {
    return this.#sweepDue || this.#expiryDue;
  }

  /** Tombstones and keys are looked at. */
  sweep(): void {
    this.#sweepDue = true;
  }

  /** An item goes at this time. */
  expects(at: number): void {
    this.#nextExpiry = Math.min(this.#nextExpiry, at);
  }

  /** Whether there is something to expire. */
  look(): boolean {
    const { environment, tables, time } = this.#parts;
    this.#expiryDue ||= this.#heldDue;
    if (this.#expiryDue) return true;
    const now = time.now();
    if (this.#nextExpiry > now) return false;
    try {
      const view = environment.readView();
      try {
        this.#nextExpiry = firstExpiry(tables, view);
      } finally {
        view.done();
      }
    } catch (error) {
      // All places for readers are taken; there is a next time.
      if (!(error instanceof ReadViewError)) throw error;
      return false;
    }
    this.#expiryDue = this.#nextExpiry <= now;
    return this.#expiryDue;
  }

  /** One part of what is due; more of it is due while there may be more. Never rejects. */
  async part(): Promise<void> {
    if (this.#expiryDue) await this.#guarded('store_expiry_failed', () => this.#expire());
    if (this.#sweepDue) await this.#guarded('store_sweep_failed', () => this.#sweep());
  }

  async #expire(): Promise<void> {
    this.#expiryDue = false;
    this.#nextExpiry = Number.NEGATIVE_INFINITY;
    const { environment, tables, state, room, write } = this.#parts;
    const atOnce = this.#atOnce(room.forDeletes(), costOf(LIMITS.leaseDataBytes), EXPIRED_AT_ONCE);
    // Without room there is a next time.
    if (atOnce === 0) return;
    if (this.#heldDue) {
      let held = { damaged: 0, more: false };
      await environment.transaction(() => {
        held = releaseHeld(tables, state.run, this.#startedAt, atOnce);
      });
      this.#heldDue = held.more;
      this.#tellDamage('expiries', held.damaged);
    }
    const { items, stray, damaged } = this.#dueItems();
    const errors = await write(items.map(({ change }) => change));
    // They would be met again and again, before those behind them.
    const lost = items.filter((_, index) => isDamage(errors[index])).map(({ place }) => place);
    this.#expiryDue = this.#heldDue || (items.length + stray.length > 0 && errors.every((error) => error === undefined || isDamage(error)));
    if (stray.length + lost.length === 0) return;
    await environment.transaction(() => {
      for (const place of [...stray, ...lost]) tables.expiries.remove(place);
    });
    this.#tellDamage('expiries', damaged + lost.length);
  }

  /** How many of what costs `each` bytes may be written now; their room is taken. */
  #atOnce(budget: number, each: number, most: number): number {
    const atOnce = Math.min(most, Math.floor(budget / each));
    this.#parts.room.spend(atOnce * each);
    return atOnce;
  }

  #dueItems(): Due {
    const { environment, tables, time } = this.#parts;
    const view = environment.readView();
    try {
      return dueItems(tables, time.now(), view);
    } finally {
      view.done();
    }
  }

  async #sweep(): Promise<void> {
    this.#sweepDue = false;
    const { environment, tables, heads, state, room, time, clock, tombstoneRetentionMs } = this.#parts;
    // Two things are removed at once.
    const atOnce = this.#atOnce(room.forNext(), 2 * CHANGE_BYTES, SWEPT_AT_ONCE);
    if (atOnce === 0) return;
    let swept: Sweep | undefined;
    const ledger = new KeyLedger(tables, state);
    let keys = { damaged: 0, more: false };
    await environment.transaction(() => {
      swept = sweepTombstones(tables, heads, state, clock.now() - tombstoneRetentionMs, this.#nextHead, atOnce);
      keys = ledger.sweep(time.now(), atOnce);
      if (ledger.changed) writeState(tables.meta, { ...state, ...swept.state, ...ledger.totals });
    });
    if (swept === undefined) return;
    swept.adopt();
    Object.assign(state, ledger.totals);
    this.#nextHead = swept.nextHead;
    this.#sweepDue = swept.more || keys.more;
    this.#tellDamage('tombstones', swept.damaged);
    this.#tellDamage('keys', keys.damaged);
  }

  async #guarded(event: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ReadViewError || error instanceof TransactionAbortedError)) this.#parts.onFailure(error);
      else this.#tellFailure(event, error);
    }
  }

  /** Expiry is tried again four times a second, and said once a minute. */
  #tellFailure(event: string, error: Error): void {
    const { path, logger, clock } = this.#parts;
    const now = clock.monotonic();
    if (event === 'store_expiry_failed' && now < this.#silentUntil) return;
    if (event === 'store_expiry_failed') this.#silentUntil = now + SILENCE_MS;
    const consequence = event === 'store_sweep_failed' ? 'tried again in a minute' : 'tried again at once';
    logger.error(event, { path, error: String(error), cause: String(error.cause), consequence });
  }

  #tellDamage(where: string, records: number): void {
    if (records === 0) return;
    const { path, logger } = this.#parts;
    const consequence =
      where === 'expiries' ? 'these items stay' : where === 'keys' ? 'these keys are forgotten' : 'these deletes stay known';
    logger.error('store_records_damaged', {
      path,
      code: 'CORRUPT_ITEM',
      records,
      where,
      consequence: `${consequence}; restore the store from a backup`,
    });
  }
}
