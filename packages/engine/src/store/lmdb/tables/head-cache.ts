import { PairMap } from '../../../structures/pair-map.js';
import type { Change, GroupRef } from '../../store.js';
import type { Table, View } from '../env/environment.js';
import { decodeHead, encodeHead, type Head, headKey } from './records.js';

/** Heads kept in memory; beyond it those used longest ago are written out, if they must be, and forgotten. */
const CACHED_HEADS = 100_000;
/** Heads let go in one commit. */
export const EVICTED_AT_ONCE = 1_000;

interface Cached extends GroupRef {
  head: Head;
  /** The record on disk says the same. */
  saved: boolean;
}

export interface Eviction {
  committed(): void;
  /** The transaction was undone, so the records on the disk are those before it. */
  aborted(): void;
}

/** Heads of the groups that were used in this run, as of the last durable commit. */
export class HeadCache {
  readonly #table: Table;
  readonly #cached = new PairMap<Cached>();
  /** In order of last use by a commit. */
  readonly #used = new Set<Cached>();

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * The head of a group; `undefined` when it has none. One that is opened from disk starts at `reserved`, so that no offset that an
   * event may have taken before a crash is used again. Outside a write transaction it needs a view.
   */
  get(ref: GroupRef, view?: View): Head | undefined {
    const cached = this.#cached.get(ref.stream, ref.group);
    if (cached !== undefined) return cached.head;
    const stored = this.#stored(ref, view);
    if (stored === undefined) return undefined;
    const head = { ...stored, offset: Math.max(stored.offset, stored.reserved) };
    const saved = head.offset === stored.offset;
    this.#keep({ stream: ref.stream, group: ref.group, head, saved });
    return head;
  }

  /** The head if it is in memory. */
  cached(ref: GroupRef): Head | undefined {
    return this.#cached.get(ref.stream, ref.group)?.head;
  }

  /** The commit that made this head is durable. */
  set(ref: GroupRef, head: Head, saved: boolean): void {
    const cached = this.#cached.get(ref.stream, ref.group);
    if (cached === undefined) return this.#keep({ stream: ref.stream, group: ref.group, head, saved });
    cached.head = head;
    cached.saved = saved;
    this.#used.delete(cached);
    this.#used.add(cached);
  }

  forget(ref: GroupRef): void {
    const cached = this.#cached.get(ref.stream, ref.group);
    if (cached === undefined) return;
    this.#cached.delete(ref.stream, ref.group);
    this.#used.delete(cached);
  }

  get overfull(): boolean {
    return this.#cached.size > CACHED_HEADS;
  }

  /** Heads that `settle` may have to write. */
  get size(): number {
    return this.#cached.size;
  }

  /** Inside a write transaction: saves the heads to be forgotten. Call one of the answers after it. */
  evict(): Eviction {
    const victims: { readonly cached: Cached; readonly saved: boolean; readonly reserved: number }[] = [];
    for (const cached of this.#used) {
      if (victims.length >= EVICTED_AT_ONCE) break;
      victims.push({ cached, saved: cached.saved, reserved: cached.head.reserved });
    }
    const aborted = () => {
      for (const { cached, saved, reserved } of victims) {
        cached.saved = saved;
        cached.head.reserved = reserved;
      }
    };
    try {
      for (const { cached } of victims) this.#save(cached);
    } catch (error) {
      aborted();
      throw error;
    }
    const committed = () => {
      for (const { cached } of victims) this.forget(cached);
    };
    return { committed, aborted };
  }

  /** Inside a write transaction at a clean stop: no group jumps ahead at the next start. */
  settle(): void {
    for (const cached of this.#used) this.#save(cached);
  }

  #stored(ref: GroupRef, view: View | undefined): Head | undefined {
    const key = headKey(ref.stream, ref.group);
    const record = view === undefined ? this.#table.get(key) : this.#table.get(key, { transaction: view });
    return record === undefined ? undefined : decodeHead(key, record);
  }

  #save(cached: Cached): void {
    const { head } = cached;
    if (cached.saved && head.reserved === head.offset) return;
    const key = headKey(cached.stream, cached.group);
    head.reserved = head.offset;
    this.#table.put(key, encodeHead(key, head));
    cached.saved = true;
  }

  #keep(cached: Cached): void {
    this.#cached.set(cached.stream, cached.group, cached);
    this.#used.add(cached);
  }
}

/**
 * Counts the offsets that events of one batch may take without a write to the disk. The stored head of a group reserves them. Create one
 * instance for each batch.
 */
export class ReservedOffsets {
  readonly #heads: HeadCache;
  readonly #spare = new Map<object, number>();

  constructor(heads: HeadCache) {
    this.#heads = heads;
  }

  /** Takes an offset and returns true when the change touches no table; returns false otherwise. */
  take(change: Change): boolean {
    if (change.kind !== 'event' && change.kind !== 'external') return false;
    const head = this.#heads.cached(change);
    if (head === undefined) return false;
    const left = this.#spare.get(head) ?? head.reserved - head.offset;
    if (left <= 0) return false;
    this.#spare.set(head, left - 1);
    return true;
  }
}
