import { type ErrorCode, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupRef, WriteChange } from '../../store/store.js';
import { type Clock, type ClockTimer, type ClockTimers, systemClock, timersOf } from '../../structures/clock.js';
import { messageOf } from '../../structures/message-of.js';
import type { WorkerBackedStore } from '../worker-store/worker-backed-store.js';
import { begun, type DesiredItem, type DueItem, failed, leased, NOTHING_DESIRED, released, unleased } from './desired-item.js';

/** The giver of a lease: a join function, or the token of the client. A refresh ends those that the new token does not give. */
export type LeaseSource = 'function' | 'token';

/** The lease that a join gets (rule RV-41): the item exists while the join does. */
export interface LeaseGrant {
  readonly source: LeaseSource;
  readonly item: string;
  readonly data: JsonText;
  /** Milliseconds for which the item outlives a connection that dropped. */
  readonly graceMs: number;
  /** Whether the client may replace the data. */
  readonly clientData: boolean;
}

/** The end of a lease. `left` removes the item at once, `dropped` after its grace time, unless another lease of the item exists. */
export type LeaseEnd = 'left' | 'dropped';

/** The share of one join in an item. */
export interface Lease {
  readonly source: LeaseSource;
  readonly clientData: boolean;
  update(data: JsonText): void;
  end(how: LeaseEnd): void;
}

/** Counts of the leases of one engine. They only grow. */
export interface LeaseCounts {
  /** Leases that joins have taken. */
  taken: number;
  /** Leases that have ended, by the way they did. */
  readonly ended: Record<LeaseEnd, number>;
  /** Items that the engine deleted, because their grace time was over. */
  expired: number;
  /** Leases that were refused, because too many are held. */
  refused: number;
}

/** Items that are written at the same time after the store released their leases. */
const RELEASED_AT_ONCE = 64;
const RETRY_MS = 1_000;
/** Milliseconds between two log lines about failed writes, of all leases together. */
const WARN_MS = 60_000;

/**
 * The items that joins of this engine lease. The store keeps each item as leased: after a crash it deletes the item a grace time after the
 * next start, unless a join leases it again. Writes of one item run one after another. A write that fails is tried again each second
 * while it is desired; `DesiredItem` says under which condition.
 */
export class Leases {
  readonly #store: WorkerBackedStore;
  readonly #logger: Logger;
  readonly #timers: ClockTimers;
  readonly #items = new Map<string, LeasedItem>();
  readonly counts: LeaseCounts = { taken: 0, ended: { left: 0, dropped: 0 }, expired: 0, refused: 0 };
  #closed = false;
  /** Number of calls of `leaseAgain`. */
  #releases = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(store: WorkerBackedStore, logger: Logger, clock: Pick<Clock, 'timers'> = systemClock) {
    this.#store = store;
    this.#timers = timersOf(clock);
    this.#logger = logger;
  }

  /** Number of items that are leased, or outlive a dropped connection. */
  get size(): number {
    return this.#items.size;
  }

  /**
   * Leases an item; the store has it a moment later. Throws OVERLOADED beyond `LIMITS.leases`, and INVALID_ARGUMENTS when the store of the
   * stream keeps no leases.
   */
  lease(ref: GroupRef, grant: LeaseGrant): Lease {
    this.#store.requireLeases(ref.stream);
    const key = JSON.stringify([ref.stream, ref.group, grant.item]);
    let item = this.#items.get(key);
    if (item === undefined) {
      if (this.#items.size >= LIMITS.leases) {
        this.counts.refused++;
        throw new RivuletError('OVERLOADED', `more than ${LIMITS.leases} leases are held; try again later`);
      }
      item = new LeasedItem(grant.item, {
        write: (change) => this.#store.write({ kind: 'write', stream: ref.stream, group: ref.group, changes: [change], batch: false }),
        warn: (error) => this.#warn(ref, grant.item, error),
        forget: () => this.#items.delete(key),
        closed: () => this.#closed,
        counts: this.counts,
        timers: this.#timers,
        logger: this.#logger,
      });
      this.#items.set(key, item);
    }
    return item.lease(grant);
  }

  /**
   * Writes every leased item again, because the store has released the leases of this engine. An item that another engine leases by now
   * stays as it is. A later call replaces an earlier one.
   */
  async leaseAgain(): Promise<void> {
    const releases = ++this.#releases;
    const items = [...this.#items.values()].filter((item) => item.leased);
    const work = async () => {
      while (this.#releases === releases) {
        const item = items.pop();
        if (item === undefined) return;
        await item.leaseAgain();
      }
    };
    await Promise.all(Array.from({ length: RELEASED_AT_ONCE }, work));
  }

  #warn({ stream, group }: GroupRef, item: string, error: unknown): void {
    const now = performance.now();
    if (now - this.#warnedAt < WARN_MS) return;
    this.#warnedAt = now;
    this.#logger.warn('lease_write_failed', {
      stream,
      group,
      item,
      error: messageOf(error),
      consequence: 'the engine tries again each second, and logs this once a minute for all leases',
    });
  }

  /** Ends all work, because the engine stops. The store keeps the items as leased. */
  close(): void {
    this.#closed = true;
    for (const item of this.#items.values()) item.abandon();
    this.#items.clear();
  }
}

interface LeasedItemDeps {
  readonly write: (change: WriteChange) => Promise<unknown>;
  /** Logs a failed write. */
  readonly warn: (error: unknown) => void;
  /** Forgets the item: nothing is stored, leased or due. */
  readonly forget: () => void;
  readonly closed: () => boolean;
  readonly counts: LeaseCounts;
  readonly timers: ClockTimers;
  readonly logger: Logger;
}

/** One item with its leases, and the writer that brings the store to the desired state. */
class LeasedItem {
  readonly #item: string;
  readonly #deps: LeasedItemDeps;
  readonly #leases = new Set<Lease>();
  #desired = NOTHING_DESIRED;
  #writing: Promise<void> | undefined;
  /** Runs while the item outlives its last lease. */
  #graceTimer: ClockTimer | undefined;

  constructor(item: string, deps: LeasedItemDeps) {
    this.#item = item;
    this.#deps = deps;
  }

  get leased(): boolean {
    return this.#leases.size > 0;
  }

  /** Resolves when the item was written again, or is not leased any more. */
  async leaseAgain(): Promise<void> {
    if (!this.leased) return;
    this.#desired = released(this.#desired);
    await this.#write();
  }

  lease({ source, data, graceMs, clientData }: LeaseGrant): Lease {
    const lease: Lease = {
      source,
      clientData,
      update: (next) => {
        if (this.#leases.has(lease)) this.#desire(leased({ data: next, graceMs }));
      },
      end: (how) => this.#end(lease, how, graceMs),
    };
    this.#leases.add(lease);
    this.#deps.counts.taken++;
    this.#deps.timers.cancel(this.#graceTimer);
    this.#graceTimer = undefined;
    this.#desire(leased({ data, graceMs }));
    return lease;
  }

  abandon(): void {
    this.#deps.timers.cancel(this.#graceTimer);
    this.#leases.clear();
  }

  #end(lease: Lease, how: LeaseEnd, graceMs: number): void {
    if (!this.#leases.delete(lease)) return;
    this.#deps.counts.ended[how]++;
    if (this.#leases.size > 0) return;
    if (how === 'left' || graceMs === 0) {
      this.#desire(unleased());
      return;
    }
    this.#graceTimer = this.#deps.timers.once(graceMs, () => {
      this.#deps.counts.expired++;
      this.#desire(unleased());
    });
    this.#graceTimer.unref();
  }

  #desire(desired: DesiredItem): void {
    this.#desired = desired;
    runInBackground(this.#write(), this.#deps.logger, 'lease_write');
  }

  #write(): Promise<void> {
    if (this.#deps.closed()) return Promise.resolve();
    this.#writing ??= this.#writeDue().catch((error: unknown) => {
      this.#writing = undefined;
      throw error;
    });
    return this.#writing;
  }

  async #writeDue(): Promise<void> {
    while (this.#desired.kind === 'due' && !this.#deps.closed()) {
      const due = this.#desired;
      this.#desired = begun(due);
      try {
        await this.#deps.write(changeOf(this.#item, due));
      } catch (error) {
        if (this.#deps.closed()) break;
        this.#deps.warn(error);
        this.#desired = failed(this.#desired, due);
        await retryLater();
      }
    }
    // In one step with the last check of what is due: a later call of `#write` must begin a new run.
    this.#writing = undefined;
    if (this.#desired.data === undefined && this.#leases.size === 0) this.#deps.forget();
  }
}

function changeOf(item: string, { data, guard }: DueItem): WriteChange {
  const change = { item, unlessLeased: guard };
  if (data === undefined) return { ...change, kind: 'delete', by: 'lease' };
  return { ...change, kind: 'set', data: data.data, expiry: { kind: 'held', graceMs: data.graceMs } };
}

function retryLater(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, RETRY_MS).unref();
  });
}

/** Returns the error of a join whose lease failed. */
export function leaseError(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (error instanceof RivuletError) return { code: error.code, message: error.message };
  return { code: 'STREAM_SET_ERROR', message: 'the lease could not be taken' };
}
