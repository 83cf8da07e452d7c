import { LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import { EVERYTHING } from '../../structures/sorted-names.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import { unbounded } from '../shared/group-bounds.js';
import { requireId } from '../shared/ids.js';
import { notifyAvailability } from '../shared/notify-availability.js';
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
import type { MeasuredStore, StoreFigures } from '../store-figures.js';
import { inlinePreflight, judgeEnding, preflight } from './checking/preflight.js';
import type { PreflightRequest } from './checking/run-preflight.js';
import { compactAtStart, DEFAULT_COMPACTION, removeCompaction } from './copying/compact.js';
import type { Capture } from './env/capture.js';
import { LockLostError } from './env/directory-lock.js';
import { LmdbEnvironment } from './env/environment.js';
import type { TakeOptions } from './env/lock-protocol.js';
import { DEFAULT_LOG } from './log/commit-log.js';
import { countMissingBytes } from './maintenance/count-bytes.js';
import { Maintenance } from './maintenance/maintenance.js';
import { measure } from './measure.js';
import { lastWrite, type Opened, openTables } from './open-tables.js';
import type { LmdbStoreOptions } from './options.js';
import { DamageLog } from './reading/damage-log.js';
import { LmdbReads } from './reading/reads.js';
import { HeadCache } from './tables/head-cache.js';
import { TABLES } from './tables/tables.js';
import { startTimers } from './timers.js';
import { unavailable } from './writing/write-errors.js';
import { LmdbWriter } from './writing/writer.js';

/** Between two log lines of one event. */
const WARNING_MS = 60_000;

/** Returns a store that keeps everything in one LMDB environment of this process: embedded, durable, one epoch for all groups. */
export function createLmdbStore(options: LmdbStoreOptions): WritableStore {
  return new LmdbStore(options);
}

/** The same store with the methods that a backup of a running engine needs. */
export interface CapturableStore extends WritableStore {
  /** The directory of the store. */
  readonly path: string;
  /** The disk is nearly full, so a capture must end. */
  readonly isFull: boolean;
  /** Resolves when no transaction is in flight. None begins until the result is called. */
  hold(): Promise<() => void>;
  /** Returns the moment of the last transaction. Call it while the store is held. A capture keeps pages, so release it soon. */
  capture(): Capture;
}

export function createCapturableStore(options: LmdbStoreOptions): CapturableStore {
  return new LmdbStore(options);
}

/** Everything that exists from `start` to `close`. */
interface Run extends Opened {
  readonly environment: LmdbEnvironment;
  readonly heads: HeadCache;
  readonly reads: LmdbReads;
  readonly writer: LmdbWriter;
  readonly maintenance: Maintenance;
  readonly timers: readonly NodeJS.Timeout[];
}

/**
 * The store on the disk. Reads go to `LmdbReads` and see the last durable transaction. Writes go to `LmdbWriter`, which has one transaction
 * at a time. `Maintenance` expires items and sweeps tombstones between the transactions of the writer.
 */
class LmdbStore implements CapturableStore, MeasuredStore {
  readonly #options: LmdbStoreOptions;
  #run: Run | undefined;
  #isClosing = false;
  /** LMDB met a damaged page. */
  #hasDamage = false;
  /** Another process has taken over the directory. */
  #isLost = false;
  readonly #warnedAt = new Map<string, number>();
  /** Reads that a limit of their view has ended since the start. */
  #endedReads = 0;

  constructor(options: LmdbStoreOptions) {
    this.#options = options;
  }

  async start(events: StoreEvents): Promise<void> {
    const environment = await this.#openEnvironment();
    try {
      const opened = await openTables(environment, this.#options);
      const { boundsOf } = this.#options;
      if (boundsOf !== undefined) await countMissingBytes({ ...opened, environment, boundsOf });
      this.#run = this.#assemble(environment, opened, events);
    } catch (error) {
      await environment.close(undefined).catch(() => {});
      throw error;
    }
  }

  async #preflight(request: PreflightRequest): Promise<void> {
    const { logger, preflight: place = 'child' } = this.#options;
    if (place === 'child') await preflight(request, logger);
    else if (place === 'inline') inlinePreflight(request, logger);
    else judgeEnding(request, await place(request), logger);
  }

  apply(change: Change, origin?: string): Promise<ApplyResult> {
    try {
      const { writer } = this.#writable(1);
      requireId(change.stream, 'stream_name');
      requireId(change.group, 'group_id');
      if (change.item !== undefined) requireId(change.item, 'item_id');
      return new Promise((resolve, reject) => writer.enqueue({ kind: 'change', change, ref: change, origin, resolve, reject }));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  write(write: Write, origin?: string): Promise<WriteResult> {
    try {
      const { writer } = this.#writable(write.changes.length);
      requireIds(write);
      return new Promise((resolve, reject) => writer.enqueue({ kind: 'write', write, ref: write, origin, resolve, reject }));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async get(ref: GroupRef, item: string): Promise<ItemRead> {
    return this.#open().reads.get(ref, item);
  }

  async snapshot(ref: GroupRef, pace: ReadPace = 'engine'): Promise<Snapshot> {
    return this.#open().reads.snapshot(ref, pace);
  }

  async snapshotAfter(ref: GroupRef, item: string): Promise<Snapshot | undefined> {
    return this.#open().reads.snapshotAfter(ref, item);
  }

  async changes(ref: GroupRef, since: Position, pace: ReadPace = 'engine'): Promise<Changes> {
    return this.#open().reads.changes(ref, since, pace);
  }

  async groups(stream: string): Promise<readonly string[]> {
    return (await this.groupsPage(stream, EVERYTHING)).names;
  }

  async streams(): Promise<readonly string[]> {
    return (await this.streamsPage(EVERYTHING)).names;
  }

  async groupsPage(stream: string, bounds: PageBounds): Promise<NamesPage> {
    return this.#open().reads.names(stream, bounds);
  }

  async streamsPage(bounds: PageBounds): Promise<NamesPage> {
    return this.#open().reads.names(undefined, bounds);
  }

  /** No other process writes to the directory, so there is nothing to watch. */
  watch(): Promise<void> {
    return Promise.resolve();
  }

  unwatch(): void {}

  figures(): StoreFigures {
    return measure(this.#run, { path: this.#options.path, isLost: this.#isLost, endedReads: this.#endedReads });
  }

  get path(): string {
    return this.#options.path;
  }

  get isFull(): boolean {
    return this.#open().disk.full;
  }

  async hold(): Promise<() => void> {
    return await this.#open().writer.hold();
  }

  capture(): Capture {
    return this.#open().environment.capture();
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const run = this.#run;
    if (run === undefined) return;
    for (const timer of run.timers) clearInterval(timer);
    await run.writer.close();
    run.reads.close();
    this.#run = undefined;
    await run.disk.close();
    await run.environment.close(lastWrite(run));
  }

  /** Sweeps tombstones and idempotency keys that are old enough, one slice between two transactions. A timer calls it once a minute. */
  async sweepNow(): Promise<void> {
    const run = this.#run;
    if (run?.writer.isWritable !== true) return;
    run.maintenance.sweep();
    await run.writer.wake();
  }

  /** Deletes items whose time to live has ended. A timer calls it four times a second. */
  async expireNow(): Promise<void> {
    const run = this.#run;
    if (run?.writer.isWritable === true && run.maintenance.checkDue()) await run.writer.wake();
  }

  async #openEnvironment(): Promise<LmdbEnvironment> {
    const { path, durability, compaction = DEFAULT_COMPACTION, log = DEFAULT_LOG, clock, logger } = this.#options;
    const open = () =>
      LmdbEnvironment.open({
        path,
        relaxed: durability === 'relaxed',
        ...(durability === 'commit' ? { log } : {}),
        tables: TABLES,
        lock: this.#lockOptions(),
        preflight: (request) => this.#preflight(request),
        onDamage: (error) => this.#reportDamage(error),
      });
    const environment = await open();
    removeCompaction(path);
    if (durability === 'commit' && !environment.isLogged)
      this.#warn('store_log_refused', { consequence: 'the disk has no space for the log, so writes are slower until a restart' });
    return compaction === false ? environment : await compactAtStart(environment, open, { path, limits: compaction, clock, logger });
  }

  /** Wires the parts of a run. Reads, writer and maintenance need each other, so they get functions instead of instances. */
  #assemble(environment: LmdbEnvironment, opened: Opened, events: StoreEvents): Run {
    const { path, clock, logger, tombstoneRetentionMs } = this.#options;
    const { tables, state, disk } = opened;
    const heads = new HeadCache(tables.heads);
    const time = new MonotonicWallClock(clock);
    const shared = { environment, tables, heads, state, disk, time, clock, logger, path };
    const reads = this.#readsOf(environment, opened, heads, () => writer.committingAt ?? clock.now());
    const warn = (event: string, fields: Record<string, unknown>) => this.#warn(event, fields);
    const writer: LmdbWriter = new LmdbWriter({
      ...shared,
      boundsOf: this.#options.boundsOf ?? unbounded,
      onCommit: (commit) => this.#report(events, commit),
      onLockLost: () => this.#lose(events),
      keepPace: () => reads.keepPace(),
      maintenance: () => maintenance,
      warn,
    });
    const maintenance = new Maintenance({
      ...shared,
      tombstoneRetentionMs,
      firstExpiry: opened.firstExpiry,
      hasOldLeases: opened.hasOldLeases,
      write: (changes) => writer.commitFirst(changes),
      onFailure: (error) => writer.fail(error),
    });
    const timers = startTimers(
      {
        environment,
        disk,
        sweep: () => this.sweepNow(),
        expire: () => this.expireNow(),
        onFailure: (error) => writer.fail(error),
        warn,
      },
      this.#options,
    );
    return { ...opened, environment, heads, reads, writer, maintenance, timers };
  }

  #readsOf(environment: LmdbEnvironment, { tables, state }: Opened, heads: HeadCache, now: () => number): LmdbReads {
    const { clock, views = { milliseconds: LIMITS.readViewMs, bytes: LIMITS.readViewBytes } } = this.#options;
    const damage = new DamageLog(this.#options.path, this.#options.logger);
    return new LmdbReads({
      onDamage: (place) => damage.report(place),
      environment,
      tables,
      heads,
      state,
      now,
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
      limits: views,
      monotonic: () => clock.monotonic(),
    });
  }

  #lockOptions(): Partial<TakeOptions> {
    const { path, lockWaitMs = 0, signal, logger } = this.#options;
    return {
      waitMs: lockWaitMs,
      signal,
      onWait: ({ pid, host }) => logger.warn('store_lock_waits', { path, pid, host, milliseconds: lockWaitMs }),
    };
  }

  /** Ends all reads and writes: what this process knows of the data is no longer true. */
  #lose(events: StoreEvents): void {
    if (this.#isLost) return;
    this.#isLost = true;
    for (const timer of this.#run?.timers ?? []) clearInterval(timer);
    const { logger, path } = this.#options;
    logger.error('store_lock_lost', { path, consequence: 'another process has the directory; this store reads and writes no more' });
    notifyAvailability(events, undefined, false);
    events.onLost?.();
  }

  /** The commit is durable, so an error of its listener changes nothing. */
  #report(events: StoreEvents, commit: Commit): void {
    try {
      events.onCommit(commit);
    } catch (error) {
      const { stream, group } = commit;
      this.#options.logger.error('commit_report_failed', { stream, group, offset: commit.position.offset, error: String(error) });
    }
  }

  /** LMDB found a damaged page on its own. Another one may end the process, and the next start checks everything. */
  #reportDamage(error: Error): void {
    if (this.#hasDamage) return;
    this.#hasDamage = true;
    this.#options.logger.error('store_damaged', {
      path: this.#options.path,
      code: 'CORRUPT_ITEM',
      error: error.message,
      consequence: 'items on damaged pages are not served, and another one may end the engine; restart it, so that it checks the store',
    });
  }

  /** Writes at most one line in a minute for each event. */
  #warn(event: string, fields: Record<string, unknown>): void {
    const now = this.#options.clock.monotonic();
    if (now - (this.#warnedAt.get(event) ?? Number.NEGATIVE_INFINITY) < WARNING_MS) return;
    this.#warnedAt.set(event, now);
    this.#options.logger.warn(event, { path: this.#options.path, ...fields });
  }

  /** A read-only store still takes writes, because events need no transaction; the writer rejects the others. */
  #writable(changes: number): Run {
    const run = this.#open();
    if (this.#isClosing) throw notOpen();
    run.writer.requireCapacity(changes);
    return run;
  }

  #open(): Run {
    if (this.#run === undefined) throw notOpen();
    if (this.#isLost) throw unavailable(new LockLostError(this.#options.path));
    return this.#run;
  }
}

function notOpen(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
}
