import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../logging/logger.js';
import { type LmdbEnvironment, ReadViewError, TransactionAbortedError } from '../storage/lmdb-environment.js';
import type { Clock } from '../structures/clock.js';
import type { SteadyTime } from '../structures/steady-time.js';
import type { Change } from './store.js';
import type { Tables } from './store-lmdb-batch.js';
import { anyDue, type Due, dueItems, EXPIRED_AT_ONCE, isDamage, releaseHeld } from './store-lmdb-expiry.js';
import type { HeadCache } from './store-lmdb-heads.js';
import { KeyLedger } from './store-lmdb-keys.js';
import { CHANGE_BYTES, costOf, type StoreRoom } from './store-lmdb-room.js';
import { type StoreState, writeState } from './store-lmdb-state.js';
import { SWEPT_AT_ONCE, type Sweep, sweepTombstones } from './store-lmdb-sweep.js';

interface Parts {
  readonly environment: LmdbEnvironment;
  readonly tables: Tables;
  readonly heads: HeadCache;
  readonly state: StoreState;
  readonly room: StoreRoom;
  readonly time: SteadyTime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly path: string;
  readonly tombstoneRetentionMs: number;
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
  readonly #parts: Parts;
  readonly #startedAt: number;
  #sweepDue = false;
  #expiryDue = false;
  #heldDue = true;
  /** Where the next sweep goes on in the heads. */
  #nextHead: Buffer | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#startedAt = parts.time.now();
  }

  get due(): boolean {
    return this.#sweepDue || this.#expiryDue;
  }

  /** Tombstones and keys are looked at. */
  sweep(): void {
    this.#sweepDue = true;
  }

  /** Whether there is something to expire. */
  look(): boolean {
    this.#expiryDue ||= this.#heldDue;
    if (this.#expiryDue) return true;
    const { environment, tables, time } = this.#parts;
    try {
      const view = environment.readView();
      try {
        this.#expiryDue = anyDue(tables, time.now(), view);
      } finally {
        view.done();
      }
    } catch (error) {
      // All places for readers are taken; there is a next time.
      if (!(error instanceof ReadViewError)) throw error;
    }
    return this.#expiryDue;
  }

  /** One part of what is due; more of it is due while there may be more. Never rejects. */
  async part(): Promise<void> {
    if (this.#expiryDue) await this.#guarded('store_expiry_failed', () => this.#expire());
    if (this.#sweepDue) await this.#guarded('store_sweep_failed', () => this.#sweep());
  }

  async #expire(): Promise<void> {
    this.#expiryDue = false;
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
    const { path, logger, onFailure } = this.#parts;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ReadViewError || error instanceof TransactionAbortedError)) onFailure(error);
      else
        logger.error(event, {
          path,
          error: String(error),
          cause: String(error.cause),
          consequence: event === 'store_sweep_failed' ? 'tried again in a minute' : 'tried again at once',
        });
    }
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
