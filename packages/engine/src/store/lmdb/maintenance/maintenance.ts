import { LIMITS } from '@rivulet/protocol';
import type { Change } from '../../store.js';
import { ReadViewError, TransactionAbortedError } from '../env/environment.js';
import { KeyLedger } from '../tables/idempotency-keys.js';
import { isDamage } from '../tables/records.js';
import { writeState } from '../tables/store-meta.js';
import { CHANGE_BYTES, costOf } from '../writing/disk-space.js';
import type { OpenParts } from '../writing/writer.js';
import { type DueItems, dueItems, EXPIRED_AT_ONCE, firstExpiry, releaseLeases } from './expiry.js';
import { type Progress, TaskQueue } from './task-queue.js';
import { SWEPT_AT_ONCE, type Sweep, sweepTombstones } from './tombstone-sweep.js';

/** Between two log lines about expiry that fails: it is tried again four times a second. */
const SILENCE_MS = 60_000;

export interface MaintenanceContext extends OpenParts {
  /** Age at which tombstones are swept, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** Time at which the first item expires, as it was at the start; infinite when none does. */
  readonly firstExpiry: number;
  /** Items are leased that an earlier run of the store leased. */
  readonly hasOldLeases: boolean;
  /** Writes ahead of the queue. Returns for each change its error, or `undefined`. Never rejects. */
  readonly write: (changes: readonly Change[]) => Promise<readonly unknown[]>;
  /** Makes the store read-only. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * `release-leases` gives the items that an earlier run leased a time to live. `expire` deletes items whose time to live has ended.
 * `sweep` removes old tombstones and idempotency keys.
 */
type Task = 'release-leases' | 'expire' | 'sweep';

/** The work that the store does by itself. The writer runs it between its transactions, one bounded slice at a time. */
export class Maintenance {
  readonly #context: MaintenanceContext;
  readonly #startedAt: number;
  readonly #due = new TaskQueue<Task>();
  #hasOldLeases: boolean;
  /** No item expires before this time, so a store without times to live is never read for them. */
  #nextExpiry: number;
  #silentUntil = Number.NEGATIVE_INFINITY;
  /** The head at which the next sweep goes on; `undefined` at the first one. */
  #nextHead: Buffer | undefined;

  constructor(context: MaintenanceContext) {
    this.#context = context;
    this.#startedAt = context.time.now();
    this.#nextExpiry = context.firstExpiry;
    this.#hasOldLeases = context.hasOldLeases;
  }

  /** A task is due. */
  get isDue(): boolean {
    return !this.#due.isEmpty;
  }

  /** Makes a sweep due. */
  sweep(): void {
    this.#due.add('sweep');
  }

  /** Takes note of an item that expires at this time, in Unix milliseconds. */
  expects(at: number): void {
    this.#nextExpiry = Math.min(this.#nextExpiry, at);
  }

  /** Makes expiry due if an item may have expired. Returns whether a task of it is due. */
  checkDue(): boolean {
    if (this.#hasOldLeases) this.#due.add('release-leases');
    if (this.#nextExpiry <= this.#context.time.now() && this.#readNextExpiry() <= this.#context.time.now()) this.#due.add('expire');
    return this.#due.has('release-leases') || this.#due.has('expire');
  }

  /** Runs one slice of the first due task. Never rejects. */
  runSlice(): Promise<void> {
    return this.#due.runNext((task) => this.#guarded(task));
  }

  /** Returns the time at which the first item expires, from the index; infinite when all places for readers are taken. */
  #readNextExpiry(): number {
    const { environment, tables } = this.#context;
    try {
      const view = environment.readView();
      try {
        this.#nextExpiry = firstExpiry(tables, view);
      } finally {
        view.done();
      }
      return this.#nextExpiry;
    } catch (error) {
      // The next check tries again.
      if (!(error instanceof ReadViewError)) throw error;
      return Number.POSITIVE_INFINITY;
    }
  }

  #run(task: Task): Promise<Progress> {
    switch (task) {
      case 'release-leases':
        return this.#releaseLeases();
      case 'expire':
        return this.#expire();
      case 'sweep':
        return this.#sweep();
      default:
        return task satisfies never;
    }
  }

  async #releaseLeases(): Promise<Progress> {
    const { environment, tables, state } = this.#context;
    const atOnce = this.#expiredAtOnce();
    // Without disk space, the next check tries again.
    if (atOnce === 0) return 'done';
    let released = { damaged: 0, more: false };
    await environment.transaction(() => {
      released = releaseLeases(tables, state.run, this.#startedAt, atOnce);
    });
    this.#hasOldLeases = released.more;
    this.#nextExpiry = Number.NEGATIVE_INFINITY;
    this.#due.add('expire');
    this.#logDamage('expiries', released.damaged);
    return released.more ? 'more' : 'done';
  }

  async #expire(): Promise<Progress> {
    // The next check reads the index again, also after a failure.
    this.#nextExpiry = Number.NEGATIVE_INFINITY;
    const { environment, tables, write } = this.#context;
    if (this.#expiredAtOnce() === 0) return 'done';
    const { items, stray, damaged } = this.#dueItems();
    const errors = await write(items.map(({ change }) => change));
    // The entry of a damaged item leaves the index; otherwise each slice would find it again, before all later items.
    const lost = items.filter((_, index) => isDamage(errors[index])).map(({ place }) => place);
    if (stray.length + lost.length > 0) {
      await environment.transaction(() => {
        for (const place of [...stray, ...lost]) tables.expiries.remove(place);
      });
      this.#logDamage('expiries', damaged + lost.length);
    }
    const succeeded = errors.every((error) => error === undefined || isDamage(error));
    return items.length + stray.length > 0 && succeeded ? 'more' : 'done';
  }

  /** Reserves disk space for the deletes of one slice, and returns their number. */
  #expiredAtOnce(): number {
    return this.#reserve(this.#context.disk.forDeletes(), costOf(LIMITS.leaseDataBytes), EXPIRED_AT_ONCE);
  }

  /** Returns how many records of `each` bytes may be written now, at most `most`, and reserves their space. */
  #reserve(budget: number, each: number, most: number): number {
    const atOnce = Math.min(most, Math.floor(budget / each));
    this.#context.disk.spend(atOnce * each);
    return atOnce;
  }

  #dueItems(): DueItems {
    const { environment, tables, time } = this.#context;
    const view = environment.readView();
    try {
      return dueItems(tables, time.now(), view);
    } finally {
      view.done();
    }
  }

  async #sweep(): Promise<Progress> {
    const { environment, tables, heads, state, disk, time, clock, tombstoneRetentionMs } = this.#context;
    // A slice removes tombstones and keys, so it may change twice the number of records.
    const atOnce = this.#reserve(disk.forNext(), 2 * CHANGE_BYTES, SWEPT_AT_ONCE);
    if (atOnce === 0) return 'done';
    let swept: Sweep | undefined;
    const ledger = new KeyLedger(tables, state);
    let keys = { damaged: 0, more: false };
    await environment.transaction(() => {
      swept = sweepTombstones(tables, heads, state, clock.now() - tombstoneRetentionMs, this.#nextHead, atOnce);
      keys = ledger.sweep(time.now(), atOnce);
      if (ledger.changed) writeState(tables.meta, { ...state, ...swept.state, ...ledger.totals });
    });
    if (swept === undefined) return 'done';
    swept.commitHeads();
    Object.assign(state, ledger.totals);
    this.#nextHead = swept.nextHead;
    this.#logDamage('tombstones', swept.damaged);
    this.#logDamage('keys', keys.damaged);
    return swept.more || keys.more ? 'more' : 'done';
  }

  async #guarded(task: Task): Promise<Progress> {
    try {
      return await this.#run(task);
    } catch (error) {
      if (!(error instanceof ReadViewError || error instanceof TransactionAbortedError)) this.#context.onFailure(error);
      else if (task === 'sweep') this.#logFailure('store_sweep_failed', error, 'tried again in a minute');
      else this.#logExpiryFailure(error);
      return 'done';
    }
  }

  #logExpiryFailure(error: Error): void {
    const now = this.#context.clock.monotonic();
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + SILENCE_MS;
    this.#logFailure('store_expiry_failed', error, 'tried again at once');
  }

  #logFailure(event: string, error: Error, consequence: string): void {
    const { path, logger } = this.#context;
    logger.error(event, { path, error: String(error), cause: String(error.cause), consequence });
  }

  #logDamage(where: 'expiries' | 'keys' | 'tombstones', records: number): void {
    if (records === 0) return;
    const { path, logger } = this.#context;
    const consequence = `${DAMAGE[where]}; run rivulet check while no engine runs`;
    logger.error('store_records_damaged', { path, code: 'CORRUPT_ITEM', records, where, consequence });
  }
}

/** Consequences of damaged records. */
const DAMAGE = {
  expiries: 'these items stay',
  keys: 'these keys are forgotten',
  tombstones: 'these deletes stay known',
} as const;
