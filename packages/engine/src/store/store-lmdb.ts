import { LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../logging/logger.js';
import { LmdbEnvironment, TransactionAbortedError } from '../storage/lmdb-environment.js';
import type { Clock } from '../structures/clock.js';
import { requireId } from './ids.js';
import type { ApplyResult, Change, Changes, Commit, GroupRef, ItemRead, Snapshot, StoreEvents, StreamStore } from './store.js';
import { type Admitted, admit } from './store-lmdb-admission.js';
import { Batch, type Planned, type StoreState, TABLES, type Tables } from './store-lmdb-batch.js';
import { notOpen, refused, told, unavailable, untouched } from './store-lmdb-errors.js';
import { EVICTED_AT_ONCE, type Eviction, HeadCache } from './store-lmdb-heads.js';
import { lastWrite, type Opened, openTables } from './store-lmdb-opening.js';
import { LmdbReads } from './store-lmdb-reads.js';
import { ReservedOffsets } from './store-lmdb-reserved.js';
import { CHANGE_BYTES, RECORD_BYTES, type SpaceLimits, type StoreRoom } from './store-lmdb-room.js';
import { SWEPT_AT_ONCE, type Sweep, sweepTombstones } from './store-lmdb-sweep.js';

export interface LmdbStoreOptions {
  /** Directory; created if missing. */
  readonly path: string;
  /** `commit`: acknowledged when on the disk. `relaxed`: acknowledged before, on the disk every `saveIntervalMs`, a new epoch after a crash. */
  readonly durability: 'commit' | 'relaxed';
  readonly saveIntervalMs: number;
  /** How long a delete stays known to `changes`, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** When a disk that fills up makes writes fail with STORE_FULL. Default: below 64 MiB or 2 percent free, 16 MiB kept for deletes. */
  readonly space?: SpaceLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Waiting {
  readonly change: Change;
  readonly resolve: (result: ApplyResult) => void;
  readonly reject: (error: unknown) => void;
}

const SWEEP_MS = 60_000;
/** Between looks at the disk. */
const ROOM_MS = 1_000;

/** Everything in one LMDB environment of this process: durable, embedded, one epoch for all groups. */
export function createLmdbStore(options: LmdbStoreOptions): StreamStore {
  return new LmdbStore(options);
}

/**
 * One writer loop: while a transaction is on its way to the disk, what arrives queues, and goes into the next one together. So a
 * single writer waits for one sync, and many share it.
 */
class LmdbStore implements StreamStore {
  readonly #options: LmdbStoreOptions;
  #environment: LmdbEnvironment | undefined;
  #tables: Tables | undefined;
  #heads: HeadCache | undefined;
  #reads: LmdbReads | undefined;
  #room: StoreRoom | undefined;
  #state: StoreState | undefined;
  #events: StoreEvents | undefined;
  #queue: Waiting[] = [];
  #sweepDue = false;
  /** Where the next sweep goes on in the heads. */
  #nextHead: Buffer | undefined;
  #writing: Promise<void> | undefined;
  #closing = false;
  /** After a failed commit nothing is written to the environment again: what it would do is unknown. */
  #failed: unknown;
  readonly #warnedAt = new Map<string, number>();
  #timers: NodeJS.Timeout[] = [];

  constructor(options: LmdbStoreOptions) {
    this.#options = options;
  }

  async start(events: StoreEvents): Promise<void> {
    const { path, durability, clock } = this.#options;
    const environment = new LmdbEnvironment({ path, relaxed: durability === 'relaxed', tables: TABLES });
    let opened: Opened;
    try {
      opened = await openTables(environment, this.#options);
    } catch (error) {
      await environment.close(undefined).catch(() => {});
      throw error;
    }
    const { tables, state, room } = opened;
    this.#room = room;
    this.#environment = environment;
    this.#tables = tables;
    this.#state = state;
    this.#heads = new HeadCache(tables.heads);
    this.#reads = new LmdbReads({
      environment,
      tables,
      heads: this.#heads,
      state,
      now: () => clock.now(),
      onWait: () =>
        this.#warn('store_reads_wait', { consequence: 'joins and lists of large groups wait until slow readers of others are served' }),
    });
    this.#events = events;
    this.#every(SWEEP_MS, () => this.sweepNow());
    this.#every(ROOM_MS, () => Promise.resolve(room.tick()));
    if (durability === 'relaxed') this.#every(this.#options.saveIntervalMs, () => environment.sync());
  }

  apply(change: Change): Promise<ApplyResult> {
    try {
      if (this.#closing || this.#reads === undefined) throw notOpen();
      requireId(change.stream, 'stream_name');
      requireId(change.group, 'group_id');
      if (change.item !== undefined) requireId(change.item, 'item_id');
      if (this.#queue.length >= LIMITS.queuedWrites)
        throw new RivuletError('OVERLOADED', `more than ${LIMITS.queuedWrites} writes wait; slow down`);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  async get(ref: GroupRef, item: string): Promise<ItemRead> {
    return this.#open().get(ref, item);
  }

  async snapshot(ref: GroupRef): Promise<Snapshot> {
    return this.#open().snapshot(ref);
  }

  async changes(ref: GroupRef, since: Position): Promise<Changes> {
    return this.#open().changes(ref, since);
  }

  async groups(stream: string): Promise<readonly string[]> {
    return this.#open().groups(stream);
  }

  async streams(): Promise<readonly string[]> {
    return this.#open().streams();
  }

  watch(): Promise<void> {
    return Promise.resolve();
  }

  unwatch(): void {}

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#writing;
    const environment = this.#environment;
    if (environment === undefined) return;
    this.#reads?.close();
    this.#reads = undefined;
    this.#environment = undefined;
    await this.#room?.close();
    await environment.close(this.#lastWrite());
  }

  #lastWrite(): (() => void) | undefined {
    const [tables, heads, state, room] = [this.#tables, this.#heads, this.#state, this.#room];
    if (tables === undefined || heads === undefined || state === undefined || room === undefined) return undefined;
    return lastWrite({ tables, heads, state, room });
  }

  /** Carries out what is queued, and sweeps when that is due: one transaction at a time. */
  async #write(): Promise<void> {
    // The rest of this turn may still queue more for the same transaction.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#sweepDue) {
      if (this.#sweepDue) await this.#sweep();
      if (this.#queue.length === 0) continue;
      const { batch, left, budget } = this.#admit();
      this.#queue = left;
      if (batch.length > 0) await this.#commitOrReject(batch, budget);
    }
    this.#writing = undefined;
  }

  #admit(): Admitted<Waiting> {
    const [room, heads] = [this.#room, this.#heads];
    if (room === undefined || heads === undefined) throw notOpen();
    const failure = this.#failed === undefined ? undefined : unavailable(this.#failed);
    return admit(this.#queue, { failure, room, reserved: new ReservedOffsets(heads) });
  }

  /** Settles all of `waiting`, whatever happens. `budget`: what the transaction may add to the data file, in bytes. */
  async #commitOrReject(waiting: readonly Waiting[], budget: number): Promise<void> {
    try {
      await this.#commit(waiting, budget);
    } catch (error) {
      // Nothing of the batch was written. Each for itself: what one can't do must not fail the others.
      if (error instanceof TransactionAbortedError && waiting.length > 1 && this.#failed === undefined) {
        for (const one of waiting) {
          // One of them may have failed the store: what is in memory no longer tells what is on the disk.
          if (this.#failed === undefined) await this.#commitOrReject([one], budget);
          else one.reject(unavailable(this.#failed));
        }
        return;
      }
      const reason = untouched(error) ? refused(error) : unavailable(error);
      for (const { reject } of waiting) reject(reason);
      if (!untouched(error)) this.#fail(error);
      else this.#warn('store_write_refused', { writes: waiting.length, error: told(error) });
    }
  }

  async #commit(waiting: readonly Waiting[], budget: number): Promise<void> {
    const [tables, heads, state, environment] = [this.#tables, this.#heads, this.#state, this.#environment];
    if (tables === undefined || heads === undefined || state === undefined || environment === undefined) throw notOpen();
    const batch = new Batch(tables, heads, state, this.#options.clock.now(), budget);
    const planned: Planned[] = [];
    if (this.#needsNoWrite(waiting)) {
      for (const { change } of waiting) planned.push(batch.carryOut(change));
    } else {
      let eviction: Eviction | undefined;
      try {
        await environment.transaction(() => {
          if (heads.overfull && budget > 2 * EVICTED_AT_ONCE * RECORD_BYTES) eviction = heads.evict();
          for (const { change } of waiting) planned.push(batch.carryOut(change));
          batch.seal();
        });
      } catch (error) {
        eviction?.aborted();
        throw error;
      }
      eviction?.committed();
    }
    batch.adopt();
    for (const plan of planned) if ('commit' in plan && plan.commit !== undefined) this.#report(plan.commit);
    for (let index = 0; index < planned.length; index++) settle(waiting[index] as Waiting, planned[index] as Planned);
  }

  /** The commit is durable, whatever becomes of those who hear of it. */
  #report(commit: Commit): void {
    try {
      this.#events?.onCommit(commit);
    } catch (error) {
      const { stream, group } = commit;
      this.#options.logger.error('commit_report_failed', { stream, group, offset: commit.position.offset, error: String(error) });
    }
  }

  #needsNoWrite(waiting: readonly Waiting[]): boolean {
    if (this.#heads === undefined) return false;
    const reserved = new ReservedOffsets(this.#heads);
    return waiting.every(({ change }) => reserved.take(change));
  }

  /** Removes tombstones whose time is over, as the timer does each minute: between batches, a part at a time, until none is left. */
  async sweepNow(): Promise<void> {
    if (this.#failed !== undefined || this.#closing) return;
    this.#sweepDue = true;
    this.#writing ??= this.#write();
    await this.#writing;
  }

  /** One part of a sweep; another one is due while there may be more. Never rejects. */
  async #sweep(): Promise<void> {
    this.#sweepDue = false;
    const [tables, heads, state, environment] = [this.#tables, this.#heads, this.#state, this.#environment];
    if (tables === undefined || heads === undefined || state === undefined || environment === undefined) return;
    if (this.#failed !== undefined || this.#closing) return;
    const { path, logger, clock, tombstoneRetentionMs } = this.#options;
    let swept: Sweep | undefined;
    const atOnce = Math.min(SWEPT_AT_ONCE, Math.floor((this.#room?.forNext() ?? 0) / CHANGE_BYTES));
    if (atOnce === 0) return;
    this.#room?.spend(atOnce * CHANGE_BYTES);
    try {
      await environment.transaction(() => {
        swept = sweepTombstones(tables, heads, state, clock.now() - tombstoneRetentionMs, this.#nextHead, atOnce);
      });
      swept?.adopt();
      this.#nextHead = swept?.nextHead;
      this.#sweepDue = swept?.more ?? false;
    } catch (error) {
      if (!untouched(error)) this.#fail(error);
      else
        logger.error('store_sweep_failed', {
          path,
          error: String(error),
          cause: String(error.cause),
          consequence: 'tried again in a minute',
        });
      return;
    }
    if (swept === undefined || swept.damaged === 0) return;
    logger.error('store_records_damaged', {
      path,
      code: 'CORRUPT_ITEM',
      records: swept.damaged,
      where: 'tombstones',
      consequence: 'these deletes stay known; restore the store from a backup',
    });
  }

  #every(milliseconds: number, run: () => Promise<void>): void {
    const timer = setInterval(() => {
      run().catch((error: unknown) => this.#fail(error));
    }, milliseconds);
    timer.unref();
    this.#timers.push(timer);
  }

  #fail(error: unknown): void {
    this.#failed ??= error;
    this.#options.logger.error('store_failed', {
      path: this.#options.path,
      error: String(error),
      consequence: 'the store is read-only until a restart',
    });
  }

  /** At most one line a minute of each event. */
  #warn(event: string, fields: Record<string, unknown>): void {
    const now = this.#options.clock.monotonic();
    if (now - (this.#warnedAt.get(event) ?? Number.NEGATIVE_INFINITY) < SWEEP_MS) return;
    this.#warnedAt.set(event, now);
    this.#options.logger.warn(event, { path: this.#options.path, ...fields });
  }

  #open(): LmdbReads {
    if (this.#reads === undefined) throw notOpen();
    return this.#reads;
  }
}

function settle(waiting: Waiting, planned: Planned): void {
  if ('error' in planned) waiting.reject(planned.error);
  else waiting.resolve(planned.result);
}
