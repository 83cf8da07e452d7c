import { PairMap } from '../../../structures/pair-map.js';
import type { Change, GroupRef } from '../../store.js';
import type { Table, View } from '../env/environment.js';
import { decodeHead, encodeHead, type Head, headKey } from './records.js';

/** Heads in memory. When there are more, the least recently used ones are written to the disk if needed, and removed from memory. */
const CACHED_HEADS = 100_000;
/** Heads that one commit removes from memory. */
export const EVICTED_AT_ONCE = 1_000;

interface Cached extends GroupRef {
  head: Head;
  /** The record on the disk is the same. */
  saved: boolean;
}

/** Heads that leave the memory with a transaction. */
export interface Eviction {
  /** Call it when the transaction is durable. */
  committed(): void;
  /** Call it when the transaction was undone: the heads stay in memory. */
  aborted(): void;
}

/** The heads of groups that were used in this run, as the last durable commit left them. */
export class HeadCache {
  readonly #table: Table;
  readonly #cached = new PairMap<Cached>();
  /** Heads in the order of their last commit. */
  readonly #used = new Set<Cached>();

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * Returns the head of a group; `undefined` when the group has none. A head from the disk starts at `reserved`: events may have taken
   * offsets up to there before a crash. Pass a view outside a write transaction.
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

  /** Returns the head if it is in memory. */
  cached(ref: GroupRef): Head | undefined {
    return this.#cached.get(ref.stream, ref.group)?.head;
  }

  /** Takes a head over from a durable commit. `saved`: its record is on the disk. */
  set(ref: GroupRef, head: Head, saved: boolean): void {
    const cached = this.#cached.get(ref.stream, ref.group);
    if (cached === undefined) return this.#keep({ stream: ref.stream, group: ref.group, head, saved });
    cached.head = head;
    cached.saved = saved;
    this.#used.delete(cached);
    this.#used.add(cached);
  }

  /** Removes a head from memory. */
  forget(ref: GroupRef): void {
    const cached = this.#cached.get(ref.stream, ref.group);
    if (cached === undefined) return;
    this.#cached.delete(ref.stream, ref.group);
    this.#used.delete(cached);
  }

  /** The cache has more heads than it may, so the next transaction should call `evict`. */
  get overfull(): boolean {
    return this.#cached.size > CACHED_HEADS;
  }

  /** Number of heads that `settle` may write. */
  get size(): number {
    return this.#cached.size;
  }

  /** Saves the heads that leave the memory. Call it inside a write transaction, and one method of the result afterwards. */
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

  /** Saves all heads with their exact offsets, so that no group jumps ahead at the next start. Call it inside the last transaction. */
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
