import { randomUUID } from 'node:crypto';
import { LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../logging/logger.js';
import { LmdbEnvironment, ReadViewError, TransactionAbortedError } from '../storage/lmdb-environment.js';
import type { Clock } from '../structures/clock.js';
import { requireId } from './ids.js';
import type { ApplyResult, Change, Changes, Commit, GroupRef, ItemRead, Snapshot, StoreEvents, StreamStore } from './store.js';
import { BATCH_CHANGES, Batch, type Planned, readState, type StoreState, type Tables, writeState } from './store-lmdb-batch.js';
import { type Eviction, HeadCache } from './store-lmdb-heads.js';
import { LmdbReads } from './store-lmdb-reads.js';
import { type Sweep, sweepTombstones } from './store-lmdb-sweep.js';

export interface LmdbStoreOptions {
  /** Directory; created if missing. */
  readonly path: string;
  /** `commit`: acknowledged when on the disk. `relaxed`: acknowledged before, on the disk every `saveIntervalMs`, a new epoch after a crash. */
  readonly durability: 'commit' | 'relaxed';
  readonly saveIntervalMs: number;
  /** How long a delete stays known to `changes`, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Waiting {
  readonly change: Change;
  readonly resolve: (result: ApplyResult) => void;
  readonly reject: (error: unknown) => void;
}

const TABLES = ['heads', 'items', 'order', 'versions', 'tombstones', 'meta'] as const;
const SWEEP_MS = 60_000;

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
    let opened: { readonly tables: Tables; readonly state: StoreState };
    try {
      opened = await this.#begin(environment);
    } catch (error) {
      await environment.close(() => {}).catch(() => {});
      throw error;
    }
    const { tables, state } = opened;
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
    if (durability === 'relaxed') this.#every(this.#options.saveIntervalMs, () => environment.sync());
  }

  /** Reads the state of the store, and makes known that it is open. */
  async #begin(environment: LmdbEnvironment): Promise<{ readonly tables: Tables; readonly state: StoreState }> {
    const { path, durability } = this.#options;
    const tables = Object.fromEntries(TABLES.map((name) => [name, environment.table(name)])) as unknown as Tables;
    const known = readState(tables.meta);
    const state = known ?? { epoch: randomUUID(), nextGroup: 1, removedOffset: 0, removedTimestamp: 0, clean: true };
    if (!state.clean) {
      this.#options.logger.warn('store_new_epoch', {
        path,
        reason: 'a relaxed store was not closed; commits of its last moments may be gone',
      });
      state.epoch = randomUUID();
    }
    state.clean = durability === 'commit';
    await environment.transaction(() => writeState(tables.meta, state));
    if (durability === 'relaxed') await environment.sync();
    return { tables, state };
  }

  apply(change: Change): Promise<ApplyResult> {
    try {
      this.#requireWritable();
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
    if (this.#failed === undefined) {
      await environment.close(() => {
        this.#heads?.settle();
        if (this.#state !== undefined && this.#tables !== undefined) writeState(this.#tables.meta, { ...this.#state, clean: true });
      });
    }
  }

  /** Carries out what is queued, and sweeps when that is due: one transaction at a time. */
  async #write(): Promise<void> {
    // The rest of this turn may still queue more for the same transaction.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#sweepDue) {
      if (this.#sweepDue) await this.#sweep();
      if (this.#queue.length === 0) continue;
      const waiting = this.#queue.length <= BATCH_CHANGES ? this.#queue : this.#queue.slice(0, BATCH_CHANGES);
      this.#queue = waiting === this.#queue ? [] : this.#queue.slice(BATCH_CHANGES);
      if (this.#failed !== undefined) {
        for (const { reject } of waiting) reject(unavailable(this.#failed));
        continue;
      }
      await this.#commitOrReject(waiting);
    }
    this.#writing = undefined;
  }

  /** Settles all of `waiting`, whatever happens. */
  async #commitOrReject(waiting: readonly Waiting[]): Promise<void> {
    try {
      await this.#commit(waiting);
    } catch (error) {
      // Nothing of the batch was written. Each for itself: what one can't do must not fail the others.
      if (error instanceof TransactionAbortedError && waiting.length > 1 && this.#failed === undefined) {
        for (const one of waiting) {
          // One of them may have failed the store: what is in memory no longer tells what is on the disk.
          if (this.#failed === undefined) await this.#commitOrReject([one]);
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

  async #commit(waiting: readonly Waiting[]): Promise<void> {
    const [tables, heads, state, environment] = [this.#tables, this.#heads, this.#state, this.#environment];
    if (tables === undefined || heads === undefined || state === undefined || environment === undefined) throw notOpen();
    const batch = new Batch(tables, heads, state, this.#options.clock.now());
    const planned: Planned[] = [];
    if (this.#needsNoWrite(waiting)) {
      for (const { change } of waiting) planned.push(batch.carryOut(change));
    } else {
      let eviction: Eviction | undefined;
      try {
        await environment.transaction(() => {
          if (heads.overfull) eviction = heads.evict();
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

  /** Events within what their heads have reserved touch no table. */
  #needsNoWrite(waiting: readonly Waiting[]): boolean {
    const spare = new Map<object, number>();
    for (const { change } of waiting) {
      if (change.kind !== 'event' && change.kind !== 'external') return false;
      const head = this.#heads?.cached(change);
      if (head === undefined) return false;
      const left = spare.get(head) ?? head.reserved - head.offset;
      if (left <= 0) return false;
      spare.set(head, left - 1);
    }
    return true;
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
    try {
      await environment.transaction(() => {
        swept = sweepTombstones(tables, heads, state, clock.now() - tombstoneRetentionMs, this.#nextHead);
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

  #requireWritable(): void {
    if (this.#closing || this.#reads === undefined) throw notOpen();
    if (this.#failed !== undefined) throw unavailable(this.#failed);
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

function notOpen(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
}

/** The environment is as it was before. */
function untouched(error: unknown): error is ReadViewError | TransactionAbortedError {
  return error instanceof ReadViewError || error instanceof TransactionAbortedError;
}

function refused(error: ReadViewError | TransactionAbortedError): RivuletError {
  const reason = error instanceof ReadViewError ? 'all places for readers of the store are taken' : 'the write could not be carried out';
  return new RivuletError('STORE_UNAVAILABLE', `${reason}; nothing was written, try again later`, { cause: error });
}

function told(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function unavailable(cause: unknown): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is read-only after a failed write; restart the engine when the disk is well', {
    cause,
  });
}
