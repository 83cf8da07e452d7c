import type { Logger } from '../../../logging/logger.js';
import type { Clock } from '../../../structures/clock.js';
import type { MonotonicWallClock } from '../../../structures/monotonic-wall-clock.js';
import { TurnBudget } from '../../../structures/turn-budget.js';
import type { BoundsOf } from '../../bounds.js';
import { BatchLimits } from '../../shared/batch-limits.js';
import type { Change, Commit, Write } from '../../store.js';
import { newCommitFigures } from '../../store-figures.js';
import { LockLostError } from '../env/directory-lock.js';
import { type LmdbEnvironment, TransactionAbortedError } from '../env/environment.js';
import { EVICTED_AT_ONCE, type Eviction, type HeadCache, ReservedOffsets } from '../tables/head-cache.js';
import { RecentItems } from '../tables/recent-items.js';
import type { StoreState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';
import { CHANGE_BYTES, type DiskBudget, RECORD_BYTES, storeFull } from './disk-space.js';
import { charsOf, type QueuedWrite, settle } from './queued-write.js';
import { Batch, type PlanAhead, type Planned, type PlannedWrite } from './write-batch.js';
import { causeOf, isUntouched, refused, unavailable } from './write-errors.js';
import { type Release, WriteGate } from './write-gate.js';
import { costOfWrite, WriteQueue } from './write-queue.js';

/** UTF-16 code units of the values of a transaction, above which another thread writes its pages. */
const LARGE_CHARS = 262_144;

/** Share of the free space of the disk that may be written to the data file between two checkpoints. */
const HELD_SHARE = 1 / 8;

/** The open parts of a store that writing and maintenance share. */
export interface OpenParts {
  readonly environment: LmdbEnvironment;
  readonly tables: Tables;
  readonly heads: HeadCache;
  readonly state: StoreState;
  readonly disk: DiskBudget;
  readonly time: MonotonicWallClock;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly path: string;
}

export interface WriterContext extends OpenParts {
  readonly boundsOf: BoundsOf;
  /** Receives each commit when it is durable, in the order of the history. */
  readonly onCommit: (commit: Commit) => void;
  /** Waits before a transaction until reads that hold a view have kept up. */
  readonly keepPace: () => Promise<void>;
  /** The work of the store itself, which runs between transactions. */
  readonly maintenance: () => { readonly isDue: boolean; runSlice(): Promise<void>; expects(at: number): void };
  /** Runs when another process has taken over the directory. */
  readonly onLockLost: () => void;
  /** Writes a log line, at most one in a minute for each event. */
  readonly warn: (event: string, fields: Record<string, unknown>) => void;
}

/**
 * The one writer of the store. While a transaction is on its way to the disk, new writes wait in the queue; the next transaction carries
 * them together. A single caller therefore waits for one sync of the disk, and many callers share one.
 *
 * The loop ends when nothing waits, and begins again with the next write. One slice of maintenance runs between two transactions.
 */
export class LmdbWriter {
  /** Counters of the transactions since the start. */
  readonly figures = newCommitFigures();
  readonly #context: WriterContext;
  readonly #queue = new WriteQueue();
  readonly #gate = new WriteGate();
  readonly #recent = new RecentItems();
  #running: Promise<void> | undefined;
  #isClosing = false;
  /** The first failed commit. Nothing is written after it, because the content of the disk is unknown. */
  #failure: unknown;
  #committingAt: number | undefined;

  constructor(context: WriterContext) {
    this.#context = context;
  }

  /** The timestamp of the transaction on its way: a read of a new group must not return a later one. `undefined` between transactions. */
  get committingAt(): number | undefined {
    return this.#committingAt;
  }

  /** Number of writes that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** A commit has failed, so the store is read-only until a restart. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** The store is neither closing nor read-only. */
  get isWritable(): boolean {
    return this.#failure === undefined && !this.#isClosing;
  }

  /** Throws OVERLOADED when the queue has no room for this many changes. */
  requireCapacity(changes: number): void {
    this.#queue.requireCapacity(changes);
  }

  /** The writer settles the promise of the write, whatever happens. */
  enqueue(queued: QueuedWrite): void {
    this.#queue.add(queued);
    this.#running ??= this.#run();
  }

  /** Starts the loop if it does not run. Resolves when nothing is left to do. */
  wake(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Resolves when no transaction is in flight. None begins until the result is called. */
  hold(): Promise<Release> {
    return this.#gate.hold();
  }

  /** Starts no maintenance any more, and resolves when all queued writes are settled. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#running;
  }

  /** Makes the store read-only until the engine restarts. */
  fail(error: unknown): void {
    const isKnown = this.#failure !== undefined;
    this.#failure ??= error;
    if (error instanceof LockLostError) this.#context.onLockLost();
    if (isKnown || error instanceof LockLostError) return;
    const { logger, path } = this.#context;
    logger.error('store_failed', { path, error: String(error), consequence: 'the store is read-only until a restart' });
  }

  /**
   * Executes changes that free space, before the queue. Only maintenance calls it, from within the loop. Never rejects: returns for each
   * change its error, or `undefined`.
   */
  async commitFirst(changes: readonly Change[]): Promise<readonly unknown[]> {
    const { disk } = this.#context;
    const errors: unknown[] = changes.map(() => undefined);
    const budget = disk.forDeletes();
    const writes: QueuedWrite[] = [];
    for (const [index, change] of changes.entries()) {
      const reject = (error: unknown) => {
        errors[index] = error;
      };
      if ((writes.length + 1) * CHANGE_BYTES > budget) reject(storeFull());
      else writes.push({ kind: 'change', change, ref: change, origin: undefined, resolve: () => {}, reject });
    }
    disk.spend(writes.length * CHANGE_BYTES);
    await this.#commitAll(writes, budget);
    return errors;
  }

  async #run(): Promise<void> {
    // The rest of this turn may queue more writes for the same transaction.
    await Promise.resolve();
    const { clock, keepPace } = this.#context;
    const turns = TurnBudget.of(clock);
    while (this.#queue.length > 0 || this.#isDue) {
      // An event needs no transaction, so nothing else makes this loop yield.
      await turns.free();
      await this.#gate.pass();
      if (this.#isDue) await this.#context.maintenance().runSlice();
      if (this.#queue.length === 0) continue;
      await keepPace();
      await this.#freeHeldPages();
      const { batch, budget } = this.#admit();
      if (batch.length > 0) this.#putBack(await this.#commitOrReject(batch, budget));
    }
    this.#running = undefined;
    this.#gate.rest();
  }

  /** The pages between two checkpoints may take a small share of the free space only. Otherwise deletes would fill a disk. */
  async #freeHeldPages(): Promise<void> {
    const { environment, disk } = this.#context;
    if (environment.heldBytes <= disk.freeBytes * HELD_SHARE || !this.isWritable) return;
    try {
      await environment.checkpoint();
    } catch (error) {
      this.fail(error);
    }
  }

  get #isDue(): boolean {
    return this.isWritable && this.#context.maintenance().isDue;
  }

  #admit(): ReturnType<WriteQueue['take']> {
    const { disk, heads } = this.#context;
    const failure = this.#failure === undefined ? undefined : unavailable(this.#failure);
    return this.#queue.take({ failure, disk, reserved: new ReservedOffsets(heads) });
  }

  #putBack(writes: readonly QueuedWrite[]): void {
    if (writes.length === 0) return;
    this.#context.disk.spend(-writes.reduce((sum, each) => sum + costOfWrite(each), 0));
    this.#queue.putBack(writes);
  }

  async #commitAll(writes: readonly QueuedWrite[], budget: number): Promise<void> {
    for (let left = writes; left.length > 0; ) left = await this.#commitOrReject(left, budget);
  }

  /**
   * Settles the writes of one transaction, and returns the last ones, for which the transaction had no time. `budget`: bytes that the
   * transaction may add to the data file.
   */
  async #commitOrReject(writes: readonly QueuedWrite[], budget: number): Promise<readonly QueuedWrite[]> {
    try {
      return await this.#commit(writes, budget);
    } catch (error) {
      // Nothing of the batch was written. A transaction for each write: one bad write must not fail the others.
      if (error instanceof TransactionAbortedError && writes.length > 1 && this.#failure === undefined) {
        for (const one of writes) {
          // After a failed commit, memory may differ from the disk.
          if (this.#failure === undefined) await this.#commitAll([one], budget);
          else one.reject(unavailable(this.#failure));
        }
        return [];
      }
      const reason = isUntouched(error) ? refused(error) : unavailable(error);
      this.figures.failed += writes.length;
      for (const { reject } of writes) reject(reason);
      if (!isUntouched(error)) this.fail(error);
      else this.#context.warn('store_write_refused', { writes: writes.length, error: causeOf(error) });
      return [];
    }
  }

  async #commit(writes: readonly QueuedWrite[], budget: number): Promise<readonly QueuedWrite[]> {
    const { environment, tables, heads, state, time, clock, boundsOf } = this.#context;
    const limits = new BatchLimits(() => clock.monotonic());
    const begin = () =>
      new Batch({ tables, heads, recent: this.#recent, state, moment: { now: clock.now(), steady: time.now() }, limits, budget, boundsOf });
    const [first] = writes;
    if (first?.kind === 'write' && first.ahead?.kind === 'wanted') first.ahead = await this.#planAhead(begin(), first.write);
    const batch = begin();
    const planned: (Planned | PlannedWrite)[] = [];
    const executeAll = () => {
      limits.begin();
      for (const each of writes) {
        if (planned.length > 0 && limits.reached) break;
        const plan = each.kind === 'change' ? batch.execute(each.change) : batch.executeWrite(each.write, each.ahead);
        if (plan === 'postponed') {
          if (each.kind === 'write') each.ahead = { kind: 'wanted' };
          break;
        }
        planned.push(plan);
      }
    };
    if (this.#needsNoTransaction(writes)) {
      executeAll();
    } else {
      let eviction: Eviction | undefined;
      this.#committingAt = batch.now;
      const begun = clock.monotonic();
      try {
        const place = writes.reduce((sum, each) => sum + charsOf(each), 0) > LARGE_CHARS ? 'elsewhere' : 'here';
        await environment.transaction(() => {
          if (heads.overfull && budget > 2 * EVICTED_AT_ONCE * RECORD_BYTES) eviction = heads.evict();
          executeAll();
          batch.seal();
        }, place);
      } catch (error) {
        eviction?.aborted();
        throw error;
      } finally {
        this.#committingAt = undefined;
      }
      eviction?.committed();
      this.figures.seconds.observe((clock.monotonic() - begun) / 1_000);
      this.figures.batch.observe(planned.length);
    }
    this.figures.changes += planned.length;
    batch.commit();
    this.#context.maintenance().expects(batch.firstExpiry);
    for (const plan of planned) for (const commit of commitsOf(plan)) this.#context.onCommit(commit);
    for (let index = 0; index < planned.length; index++) settle(writes[index] as QueuedWrite, planned[index] as Planned | PlannedWrite);
    return writes.slice(planned.length);
  }

  /** Nothing else writes meanwhile, because this runs within the loop. */
  async #planAhead(batch: Batch, write: Write): Promise<PlanAhead> {
    const turns = TurnBudget.of(this.#context.clock);
    const view = this.#context.environment.readView();
    try {
      return await batch.planAhead(write, view, () => turns.free());
    } finally {
      view.done();
    }
  }

  #needsNoTransaction(writes: readonly QueuedWrite[]): boolean {
    const reserved = new ReservedOffsets(this.#context.heads);
    return writes.every((each) => each.kind === 'change' && reserved.take(each.change));
  }
}

function commitsOf(plan: Planned | PlannedWrite): readonly Commit[] {
  return 'commits' in plan ? plan.commits : [];
}
