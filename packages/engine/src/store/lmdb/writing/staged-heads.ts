import { PairMap } from '../../../structures/pair-map.js';
import type { BoundsOf, GroupBounds } from '../../bounds.js';
import type { GroupRef } from '../../store.js';
import type { HeadCache } from '../tables/head-cache.js';
import { encodeHead, type Head, headKey } from '../tables/records.js';
import type { StoreState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';

/** The head of a group as one batch changes it. */
export interface StagedHead extends GroupRef {
  readonly head: Head;
  /** The record on the disk must change with this batch. */
  dirty: boolean;
  readonly bounds: GroupBounds | undefined;
}

/**
 * The heads that one batch changes. They are copies: the cache and the numbers of groups change in `commitHeads` only, so a transaction
 * that fails leaves no trace in memory.
 */
export class StagedHeads {
  readonly #heads: HeadCache;
  readonly #state: StoreState;
  readonly #boundsOf: BoundsOf;
  readonly #staged = new PairMap<StagedHead>();
  /** The number that the next new group gets. */
  nextGroup: number;

  constructor(heads: HeadCache, state: StoreState, boundsOf: BoundsOf) {
    this.#boundsOf = boundsOf;
    this.#heads = heads;
    this.#state = state;
    this.nextGroup = state.nextGroup;
  }

  /** Returns the head of a group that exists; `undefined` otherwise. */
  get(ref: GroupRef): StagedHead | undefined {
    const staged = this.#staged.get(ref.stream, ref.group);
    if (staged !== undefined) return staged;
    const head = this.#heads.get(ref);
    return head === undefined ? undefined : this.#stage(ref, { ...head });
  }

  /** Creates a group. It starts after the highest offset and timestamp of all groups that were removed. */
  create(ref: GroupRef): StagedHead {
    const { removedOffset, removedTimestamp } = this.#state;
    const head: Head = {
      number: this.nextGroup++,
      offset: removedOffset,
      timestamp: removedTimestamp,
      reserved: removedOffset,
      floor: removedOffset,
      items: 0,
      bytes: 0,
    };
    const staged = this.#stage(ref, head);
    staged.dirty = true;
    return staged;
  }

  /** Writes the dirty heads, each once. Call it inside the transaction, after all changes. */
  write(table: Tables['heads']): void {
    for (const { stream, group, head, dirty } of this.#staged.values()) {
      if (!dirty) continue;
      const key = headKey(stream, group);
      table.put(key, encodeHead(key, head));
    }
  }

  /** Puts the heads into the cache. Call it when the transaction is durable. */
  commitHeads(): void {
    this.#state.nextGroup = this.nextGroup;
    for (const staged of this.#staged.values()) this.#heads.set(staged, staged.head, staged.dirty);
  }

  #stage(ref: GroupRef, head: Head): StagedHead {
    const bounds = this.#boundsOf(ref.stream);
    // Without the bound, changes are not counted, so the number must not stay.
    if (bounds?.maxBytes === undefined) head.bytes = undefined;
    const staged = { stream: ref.stream, group: ref.group, head, dirty: false, bounds };
    this.#staged.set(ref.stream, ref.group, staged);
    return staged;
  }
}
