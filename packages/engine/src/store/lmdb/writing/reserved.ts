import type { Change } from '../../store.js';
import type { HeadCache } from '../tables/head-cache.js';

/** The offsets that events of one batch may take without a write: those that the heads of their groups have reserved on the disk. */
export class ReservedOffsets {
  readonly #heads: HeadCache;
  readonly #spare = new Map<object, number>();

  constructor(heads: HeadCache) {
    this.#heads = heads;
  }

  /** Whether the change touches no table. Takes its offset. */
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
