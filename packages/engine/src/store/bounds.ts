/**
 * Bounds of each group of a stream. The configuration sets them (`group_bounds`), and every store of the engine obeys them in the same way:
 *
 * - A write that stays within the bounds, or that only deletes, does what it does without bounds.
 * - Otherwise `refuse` rejects a write that makes the group grow, with GROUP_FULL. Nothing is written.
 * - `delete_oldest` executes the write, and then deletes the oldest other items in the same step. Each delete takes the next offset, and
 *   the write and its deletes share one `through`.
 *
 * The oldest item is the one that was created first. Imports, backups and restores do not obey the bounds. The next write of such a group
 * brings it back, by at most `evictedItems` items.
 */
export interface GroupBounds {
  /** Most items of one group. @default no bound */
  readonly maxItems?: number | undefined;
  /** Most UTF-8 bytes of all item ids and values of one group. @default no bound */
  readonly maxBytes?: number | undefined;
  /** Longest time between the last change of an item and its delete, in milliseconds. @default no bound */
  readonly maxAgeMs?: number | undefined;
  /** Decides about a write that would exceed `maxItems` or `maxBytes`: it is refused, or it deletes the oldest items. */
  readonly onFull: 'refuse' | 'delete_oldest';
}

/** Returns the bounds of the groups of a stream; `undefined` for none. */
export type BoundsOf = (stream: string) => GroupBounds | undefined;
