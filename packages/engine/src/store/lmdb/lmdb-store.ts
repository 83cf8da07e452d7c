import { LIMITS, type Position } from '@rivulet/protocol';
import { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import { EVERYTHING } from '../../structures/sorted-names.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import { BatchLimits } from '../shared/batch-limits.js';
import { requireId } from '../shared/ids.js';
import { requireIds } from '../shared/write-plan.js';
import type {
  ApplyResult,
  Change,
  Changes,
  Commit,
  GroupRef,
  ItemRead,
  NamesPage,
  PageBounds,
  ReadPace,
  Snapshot,
  StoreEvents,
  WritableStore,
  Write,
  WriteResult,
} from '../store.js';
import { LmdbEnvironment, TransactionAbortedError } from './env/environment.js';
import { notOpen, refused, told, unavailable, untouched } from './errors.js';
import { Upkeep } from './maintenance/maintenance.js';
import { lastWrite, type Opened, openTables } from './open-tables.js';
import type { LmdbStoreOptions } from './options.js';
import { LmdbReads } from './reading/reads.js';
import { EVICTED_AT_ONCE, type Eviction, HeadCache } from './tables/head-cache.js';
import type { StoreState } from './tables/store-meta.js';
import { costOfWaiting } from './writing/admission.js';
import { CHANGE_BYTES, RECORD_BYTES, type StoreRoom, storeFull } from './writing/disk-space.js';
import { ReservedOffsets } from './writing/reserved.js';
import { settle, type Waiting } from './writing/waiting.js';
import { Batch, type PlanAhead, type Planned, type PlannedWrite, TABLES, type Tables } from './writing/write-batch.js';
import { WriteQueue } from './writing/write-queue.js';

const SWEEP_MS = 60_000;
/** How often it is looked for items whose time has come. */
const EXPIRY_MS = 250;
/** Between looks at the disk. */
const ROOM_MS = 1_000;

/** Everything in one LMDB environment of this process: durable, embedded, one epoch for all groups. */
export function createLmdbStore(options: LmdbStoreOptions): WritableStore {
  return new LmdbStore(options);
}

/**
 * One writer loop: while a transaction is on its way to the disk, what arrives queues, and goes into the next one together. So a
 * single writer waits for one sync, and many share it.
 */
class LmdbStore implements WritableStore {
  readonly #options: LmdbStoreOptions;
  #environment: LmdbEnvironment | undefined;
  #tables: Tables | undefined;
  #heads: HeadCache | undefined;
  #reads: LmdbReads | undefined;
  #room: StoreRoom | undefined;
  #state: StoreState | undefined;
  #events: StoreEvents | undefined;
  #upkeep: Upkeep | undefined;
  #time: MonotonicWallClock | undefined;
  readonly #queue = new WriteQueue();
  #writing: Promise<void> | undefined;
  #closing = false;
  /** After a failed commit nothing is written to the environment again: what it would do is unknown. */
  #failed: unknown;
  readonly #warnedAt = new Map<string, number>();
  /** The stamp of the batch that is on its way: who reads a group before its first change must not get a later one. */
  #committing: number | undefined;
  /** Reads that a limit of their view has ended. */
  #endedReads = 0;
  #timers: NodeJS.Timeout[] = [];

  constructor(options: LmdbStoreOptions) {
    this.#options = options;
  }

  async start(events: StoreEvents): Promise<void> {
    const { path, durability, clock, logger, tombstoneRetentionMs } = this.#options;
    const environment = new LmdbEnvironment({ path, relaxed: durability === 'relaxed', tables: TABLES });
    let opened: Opened;
    try {
      opened = await openTables(environment, this.#options);
    } catch (error) {
      await environment.close(undefined).catch(() => {});
      throw error;
    }
    const { tables, state, room, firstExpiry: first, held } = opened;
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
      now: () => this.#committing ?? clock.now(),
      turns: TurnBudget.of(clock),
      onWait: () =>
        this.#warn('store_reads_wait', { consequence: 'joins and lists of large groups wait until slow readers of others are served' }),
      onEnd: (reads) => {
        this.#endedReads += reads;
        this.#warn('store_reads_ended', {
          reads: this.#endedReads,
          consequence: 'readers that were too slow begin again, so that the data file does not grow without end',
        });
      },
      limits: this.#options.views ?? { milliseconds: LIMITS.readViewMs, bytes: LIMITS.readViewBytes },
      monotonic: () => clock.monotonic(),
    });
    this.#events = events;
    const time = new MonotonicWallClock(clock);
    this.#time = time;
    this.#upkeep = new Upkeep({
      environment,
      tables,
      heads: this.#heads,
      state,
      room,
      time,
      clock,
      logger,
      path,
      tombstoneRetentionMs,
      firstExpiry: first,
      held,
      write: (changes) => this.#commitFirst(changes),
      onFailure: (error) => this.#fail(error),
    });
    this.#every(SWEEP_MS, () => this.sweepNow());
    this.#every(EXPIRY_MS, () => this.expireNow());
    this.#every(ROOM_MS, () => Promise.resolve(room.tick()));
    if (durability === 'relaxed') this.#every(this.#options.saveIntervalMs, () => environment.sync());
  }

  apply(change: Change): Promise<ApplyResult> {
    try {
      this.#requireOpen(1);
      requireId(change.stream, 'stream_name');
      requireId(change.group, 'group_id');
      if (change.item !== undefined) requireId(change.item, 'item_id');
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return new Promise((resolve, reject) => this.#enqueue({ kind: 'change', change, resolve, reject }));
  }

  write(write: Write): Promise<WriteResult> {
    try {
      this.#requireOpen(write.changes.length);
      requireIds(write);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return new Promise((resolve, reject) => this.#enqueue({ kind: 'write', write, resolve, reject }));
  }

  async get(ref: GroupRef, item: string): Promise<ItemRead> {
    return this.#open().get(ref, item);
  }

  async snapshot(ref: GroupRef, pace: ReadPace = 'engine'): Promise<Snapshot> {
    return this.#open().snapshot(ref, pace);
  }

  async snapshotAfter(ref: GroupRef, item: string): Promise<Snapshot | undefined> {
    return this.#open().snapshotAfter(ref, item);
  }

  async changes(ref: GroupRef, since: Position, pace: ReadPace = 'engine'): Promise<Changes> {
    return this.#open().changes(ref, since, pace);
  }

  async groups(stream: string): Promise<readonly string[]> {
    return (await this.groupsPage(stream, EVERYTHING)).names;
  }

  async streams(): Promise<readonly string[]> {
    return (await this.streamsPage(EVERYTHING)).names;
  }

  async groupsPage(stream: string, bounds: PageBounds): Promise<NamesPage> {
    return this.#open().names(stream, bounds);
  }

  async streamsPage(bounds: PageBounds): Promise<NamesPage> {
    return this.#open().names(undefined, bounds);
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

  #enqueue(waiting: Waiting): void {
    this.#queue.add(waiting);
    this.#writing ??= this.#write();
  }

  /** Carries out what is queued, and does what is due between: one transaction at a time. */
  async #write(): Promise<void> {
    // The rest of this turn may still queue more for the same transaction.
    await Promise.resolve();
    const turns = TurnBudget.of(this.#options.clock);
    while (this.#queue.length > 0 || this.#isDue()) {
      // What needs no transaction waits for nothing else.
      await turns.free();
      if (this.#isDue()) await this.#upkeep?.part();
      if (this.#queue.length === 0) continue;
      await this.#reads?.keepPace();
      const { batch, budget } = this.#admit();
      if (batch.length > 0) this.#putBack(await this.#commitOrReject(batch, budget));
    }
    this.#writing = undefined;
  }

  #isDue(): boolean {
    return this.#upkeep?.due === true && this.#failed === undefined && !this.#closing;
  }

  /** Within the loop of `#write`, ahead of the queue: changes that make room. Answers what each failed with, if it did. */
  async #commitFirst(changes: readonly Change[]): Promise<readonly unknown[]> {
    const errors: unknown[] = changes.map(() => undefined);
    const budget = this.#room?.forDeletes() ?? 0;
    const waiting: Waiting[] = [];
    for (const [index, change] of changes.entries()) {
      const reject = (error: unknown) => {
        errors[index] = error;
      };
      if ((waiting.length + 1) * CHANGE_BYTES > budget) reject(storeFull());
      else waiting.push({ kind: 'change', change, resolve: () => {}, reject });
    }
    this.#room?.spend(waiting.length * CHANGE_BYTES);
    await this.#commitAll(waiting, budget);
    return errors;
  }

  async #commitAll(waiting: readonly Waiting[], budget: number): Promise<void> {
    for (let left = waiting; left.length > 0; ) left = await this.#commitOrReject(left, budget);
  }

  #putBack(waiting: readonly Waiting[]): void {
    if (waiting.length === 0) return;
    this.#room?.spend(-waiting.reduce((sum, each) => sum + costOfWaiting(each), 0));
    this.#queue.putBack(waiting);
  }

  #admit(): ReturnType<WriteQueue['take']> {
    const [room, heads] = [this.#room, this.#heads];
    if (room === undefined || heads === undefined) throw notOpen();
    const failure = this.#failed === undefined ? undefined : unavailable(this.#failed);
    return this.#queue.take({ failure, room, reserved: new ReservedOffsets(heads) });
  }

  /**
   * Settles `waiting`, whatever happens, and returns those behind them for which the transaction had no time. `budget`: what it may
   * add to the data file, in bytes.
   */
  async #commitOrReject(waiting: readonly Waiting[], budget: number): Promise<readonly Waiting[]> {
    try {
      return await this.#commit(waiting, budget);
    } catch (error) {
      // Nothing of the batch was written. Each for itself: what one can't do must not fail the others.
      if (error instanceof TransactionAbortedError && waiting.length > 1 && this.#failed === undefined) {
        for (const one of waiting) {
          // One of them may have failed the store: what is in memory no longer tells what is on the disk.
          if (this.#failed === undefined) await this.#commitAll([one], budget);
          else one.reject(unavailable(this.#failed));
        }
        return [];
      }
      const reason = untouched(error) ? refused(error) : unavailable(error);
      for (const { reject } of waiting) reject(reason);
      if (!untouched(error)) this.#fail(error);
      else this.#warn('store_write_refused', { writes: waiting.length, error: told(error) });
      return [];
    }
  }

  async #commit(waiting: readonly Waiting[], budget: number): Promise<readonly Waiting[]> {
    const [tables, heads, state, environment, time] = [this.#tables, this.#heads, this.#state, this.#environment, this.#time];
    if (tables === undefined || heads === undefined || state === undefined || environment === undefined || time === undefined)
      throw notOpen();
    const limits = new BatchLimits(() => this.#options.clock.monotonic());
    const begin = () => new Batch(tables, heads, state, { now: this.#options.clock.now(), steady: time.now() }, limits, budget);
    const [first] = waiting;
    if (first?.kind === 'write' && first.ahead?.kind === 'wanted') first.ahead = await this.#planAhead(begin(), first.write);
    const batch = begin();
    const planned: (Planned | PlannedWrite)[] = [];
    const carryOut = () => {
      limits.begin();
      for (const each of waiting) {
        if (planned.length > 0 && limits.reached) break;
        const plan = each.kind === 'change' ? batch.carryOut(each.change) : batch.carryOutWrite(each.write, each.ahead);
        if (plan === 'postponed') {
          if (each.kind === 'write') each.ahead = { kind: 'wanted' };
          break;
        }
        planned.push(plan);
      }
    };
    if (this.#needsNoWrite(waiting)) {
      carryOut();
    } else {
      let eviction: Eviction | undefined;
      this.#committing = batch.now;
      try {
        await environment.transaction(() => {
          if (heads.overfull && budget > 2 * EVICTED_AT_ONCE * RECORD_BYTES) eviction = heads.evict();
          carryOut();
          batch.seal();
        });
      } catch (error) {
        eviction?.aborted();
        throw error;
      } finally {
        this.#committing = undefined;
      }
      eviction?.committed();
    }
    batch.adopt();
    this.#upkeep?.expects(batch.firstExpiry);
    for (const plan of planned) {
      if ('commits' in plan) for (const commit of plan.commits) this.#report(commit);
      else if ('commit' in plan && plan.commit !== undefined) this.#report(plan.commit);
    }
    for (let index = 0; index < planned.length; index++) settle(waiting[index] as Waiting, planned[index] as Planned | PlannedWrite);
    return waiting.slice(planned.length);
  }

  /** Nothing else writes meanwhile: this runs in the one loop of `#write`. */
  async #planAhead(batch: Batch, write: Write): Promise<PlanAhead> {
    const turns = TurnBudget.of(this.#options.clock);
    const view = this.#environment?.readView();
    if (view === undefined) throw notOpen();
    try {
      return await batch.planAhead(write, view, () => turns.free());
    } finally {
      view.done();
    }
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
    return waiting.every((each) => each.kind === 'change' && reserved.take(each.change));
  }

  /** Removes tombstones and keys whose time is over, as the timer does each minute: between batches, a part at a time, until none is left. */
  async sweepNow(): Promise<void> {
    if (this.#failed !== undefined || this.#closing) return;
    this.#upkeep?.sweep();
    this.#writing ??= this.#write();
    await this.#writing;
  }

  /** Deletes the items whose time has come, as the timer does four times a second. */
  async expireNow(): Promise<void> {
    if (this.#failed !== undefined || this.#closing || this.#upkeep?.look() !== true) return;
    this.#writing ??= this.#write();
    await this.#writing;
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

  /** Events go on after a failure, so that is decided when its turn comes. */
  #requireOpen(changes: number): void {
    if (this.#closing || this.#reads === undefined) throw notOpen();
    this.#queue.requireRoom(changes);
  }

  #open(): LmdbReads {
    if (this.#reads === undefined) throw notOpen();
    return this.#reads;
  }
}
