import { type ErrorCode, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupRef, UnlessLeased, WriteChange } from '../../store/store.js';
import type { WorkerBackedStore } from '../worker-store/worker-backed-store.js';

/** What a join function gives to whoever joins: an item that lives while the join does (rule RV-41). */
export interface LeaseGrant {
  readonly item: string;
  readonly data: JsonText;
  /** Milliseconds that the item outlives a connection that dropped. */
  readonly graceMs: number;
  /** Whether the client may replace the data. */
  readonly clientData: boolean;
}

/** How a lease ends: `left` removes the item at once, `dropped` after the grace time, unless somebody else holds it. */
export type LeaseEnd = 'left' | 'dropped';

/** A share of one join in an item. */
export interface Lease {
  readonly clientData: boolean;
  update(data: JsonText): void;
  end(how: LeaseEnd): void;
}

/** Items that are held again at the same time. */
const AGAIN_AT_ONCE = 64;
const RETRY_MS = 1_000;
const WARN_MS = 60_000;

/**
 * Items that live while somebody holds them. They are stored as held, so that after a crash each goes its grace time after the next start,
 * unless it is held again. Writes of one item run one after another, and what fails is tried again for as long as it is wanted.
 *
 * Of engines that share a store the one with the newest join holds the item. Others whose joins end leave it alone, and so does what is tried again:
 * meanwhile a client may have gone there.
 */
export class Leases {
  readonly #store: WorkerBackedStore;
  readonly #logger: Logger;
  readonly #items = new Map<string, LeasedItem>();
  #closed = false;
  /** Counts calls of `holdAgain`. */
  #released = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(store: WorkerBackedStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Items that are held, or outlive a dropped connection. */
  get size(): number {
    return this.#items.size;
  }

  /** Begins to hold an item; it is there within a moment. Fails with OVERLOADED beyond `LIMITS.leases`, INVALID_ARGUMENTS where nothing can be held. */
  hold(ref: GroupRef, grant: LeaseGrant): Lease {
    this.#store.requireHolding(ref.stream);
    const key = JSON.stringify([ref.stream, ref.group, grant.item]);
    let item = this.#items.get(key);
    if (item === undefined) {
      if (this.#items.size >= LIMITS.leases)
        throw new RivuletError('OVERLOADED', `more than ${LIMITS.leases} leases are held; try again later`);
      item = new LeasedItem(grant.item, {
        write: (change) => this.#store.write({ kind: 'write', stream: ref.stream, group: ref.group, changes: [change], batch: false }),
        failed: (error) => this.#warn(ref, grant.item, error),
        gone: () => this.#items.delete(key),
        closed: () => this.#closed,
        logger: this.#logger,
      });
      this.#items.set(key, item);
    }
    return item.hold(grant);
  }

  /** What was held was given up by others: what is still held is written again, unless somebody holds it. A bounded number at a time. */
  async holdAgain(): Promise<void> {
    const released = ++this.#released;
    const items = [...this.#items.values()].filter((item) => item.held);
    const work = async () => {
      while (this.#released === released) {
        const item = items.pop();
        if (item === undefined) return;
        await item.holdAgain();
      }
    };
    await Promise.all(Array.from({ length: AGAIN_AT_ONCE }, work));
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
      consequence: 'tried again each second; told once a minute for all leases',
    });
  }

  /** The engine stops: what is held stays stored as held, and nothing is written any more. */
  close(): void {
    this.#closed = true;
    for (const item of this.#items.values()) item.abandon();
    this.#items.clear();
  }
}

interface LeasedItemDeps {
  readonly write: (change: WriteChange) => Promise<unknown>;
  readonly failed: (error: unknown) => void;
  readonly gone: () => void;
  readonly closed: () => boolean;
  readonly logger: Logger;
}

/** One item: who holds it, what it should be, and the writer that makes it so. */
class LeasedItem {
  readonly #item: string;
  readonly #deps: LeasedItemDeps;
  readonly #holders = new Set<Lease>();
  #wanted: { readonly data: JsonText; readonly graceMs: number } | undefined;
  /** What is stored is not what is wanted. */
  #stale = false;
  /** Whose hold on the item keeps the next write from being done. */
  #unlessLeased: UnlessLeased | undefined;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(item: string, deps: LeasedItemDeps) {
    this.#item = item;
    this.#deps = deps;
  }

  get held(): boolean {
    return this.#holders.size > 0;
  }

  /** Resolves when it is written, or not wanted any more. */
  async holdAgain(): Promise<void> {
    if (!this.held) return;
    // What waits to be written holds it anyway.
    if (!this.#stale) this.#unlessLeased = 'anywhere';
    this.#stale = true;
    await this.#write();
  }

  hold({ data, graceMs, clientData }: LeaseGrant): Lease {
    const lease: Lease = {
      clientData,
      update: (next) => {
        if (this.#holders.has(lease)) this.#want({ data: next, graceMs });
      },
      end: (how) => this.#end(lease, how, graceMs),
    };
    this.#holders.add(lease);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#want({ data, graceMs });
    return lease;
  }

  abandon(): void {
    clearTimeout(this.#timer);
    this.#holders.clear();
  }

  #end(lease: Lease, how: LeaseEnd, graceMs: number): void {
    if (!this.#holders.delete(lease) || this.#holders.size > 0) return;
    if (how === 'left' || graceMs === 0) {
      this.#want(undefined);
      return;
    }
    this.#timer = setTimeout(() => this.#want(undefined), graceMs);
    this.#timer.unref();
  }

  #want(wanted: { readonly data: JsonText; readonly graceMs: number } | undefined): void {
    this.#wanted = wanted;
    this.#stale = true;
    this.#unlessLeased = wanted === undefined ? 'elsewhere' : undefined;
    runInBackground(this.#write(), this.#deps.logger, 'lease_write');
  }

  #write(): Promise<void> {
    if (this.#deps.closed()) return Promise.resolve();
    this.#writing ??= this.#writeAll().catch((error: unknown) => {
      this.#writing = undefined;
      throw error;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#stale && !this.#deps.closed()) {
      this.#stale = false;
      const wanted = this.#wanted;
      const unlessLeased = this.#unlessLeased;
      this.#unlessLeased = undefined;
      const change = { item: this.#item, unlessLeased };
      try {
        await this.#deps.write(
          wanted === undefined
            ? { ...change, kind: 'delete' }
            : { ...change, kind: 'set', data: wanted.data, expiry: { kind: 'held', graceMs: wanted.graceMs } },
        );
      } catch (error) {
        if (this.#deps.closed()) break;
        this.#deps.failed(error);
        // Nothing newer is wanted: by the time that this one is tried again it is old.
        if (!this.#stale) this.#unlessLeased = unlessLeased ?? 'elsewhere';
        this.#stale = true;
        await retryLater();
      }
    }
    // In one step with the last look at what is wanted.
    this.#writing = undefined;
    if (this.#wanted === undefined && this.#holders.size === 0) this.#deps.gone();
  }
}

function retryLater(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, RETRY_MS).unref();
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of a lease that can't be had. */
export function leaseError(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (error instanceof RivuletError) return { code: error.code, message: error.message };
  return { code: 'STREAM_SET_ERROR', message: 'the lease could not be taken' };
}
