import { type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import { Wildcard } from '../../structures/wildcard.js';
import type { BoundsOf, GroupBounds } from '../bounds.js';
import { BATCH_CHARS } from './batch-limits.js';
import type { Effect } from './change-effect.js';
import type { Step } from './write-plan.js';

/** Streams of which the answer of `boundsByStream` is remembered. */
const KNOWN_STREAMS = 10_000;

/** Returns the bounds of the first entry whose pattern matches the whole name of the stream. Entries are not combined. */
export function boundsByStream(entries: readonly (GroupBounds & { readonly streams: string })[]): BoundsOf {
  const patterns = entries.map((bounds) => ({ pattern: new Wildcard(bounds.streams), bounds }));
  const known = new Map<string, GroupBounds | undefined>();
  return (stream) => {
    if (patterns.length === 0) return undefined;
    if (known.has(stream)) return known.get(stream);
    if (known.size >= KNOWN_STREAMS) known.clear();
    const bounds = patterns.find(({ pattern }) => pattern.matches(stream))?.bounds;
    known.set(stream, bounds);
    return bounds;
  };
}

/** The bounds of a store without any. */
export const unbounded: BoundsOf = () => undefined;

/** Returns the bytes of an item that count for `maxBytes`. */
export function bytesOf(item: string, data: JsonText): number {
  return Buffer.byteLength(item) + Buffer.byteLength(data);
}

/** Items and bytes of a group. A store that has no bound of bytes may give 0 for `bytes`. */
export interface GroupSize {
  readonly items: number;
  readonly bytes: number;
}

/** How one write changes the size of its group. Add all of its effects, in their order. */
export class Growth {
  items = 0;
  bytes = 0;
  /** The bytes of each item that the write touches, after the write; `undefined` for a deleted one. */
  readonly #after = new Map<string, number | undefined>();

  add(item: string, old: JsonText | undefined, effect: Effect): void {
    if (effect.kind !== 'write' && effect.kind !== 'remove') return;
    const before = this.#after.has(item) ? this.#after.get(item) : old === undefined ? undefined : bytesOf(item, old);
    const after = effect.kind === 'write' ? bytesOf(item, effect.data) : undefined;
    this.#after.set(item, after);
    this.items += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    this.bytes += (after ?? 0) - (before ?? 0);
  }

  touches(item: string): boolean {
    return this.#after.has(item);
  }

  /** Size of the items that the write leaves. A delete can't make room for them. */
  get written(): GroupSize {
    const sizes = [...this.#after.values()].filter((bytes) => bytes !== undefined);
    return { items: sizes.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
  }
}

/** One effect of a write: a step of its plan has these members. */
export interface Effected extends Pick<Step, 'effect' | 'old'> {
  readonly change: { readonly item?: string | undefined };
}

/** Returns the growth by the effects of a write, in their order. */
export function growthOf(steps: readonly Effected[]): Growth {
  const growth = new Growth();
  for (const { change, effect, old } of steps) if (change.item !== undefined) growth.add(change.item, old, effect);
  return growth;
}

interface OldItem {
  readonly item: string;
  readonly data: JsonText;
}

/**
 * Returns the items that the write must delete after its own changes, oldest first, and at most `most`. Throws GROUP_FULL when the write is
 * refused. `oldest` iterates over the items of the group in the order of their creation, as they were before the write. It is read only as
 * far as needed.
 */
export function evictedBy<T extends OldItem>(
  bounds: GroupBounds,
  size: GroupSize,
  growth: Growth,
  oldest: () => Iterable<T>,
  most: number = LIMITS.evictedItems,
): readonly T[] {
  const { maxItems = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = bounds;
  let items = size.items + growth.items;
  let bytes = size.bytes + growth.bytes;
  if (items <= maxItems && bytes <= maxBytes) return [];
  if (bounds.onFull === 'refuse') {
    if (items > maxItems && growth.items > 0) throw groupFull(`max_items is ${maxItems}, and it would have ${items}`);
    if (bytes > maxBytes && growth.bytes > 0) throw groupFull(`max_bytes is ${maxBytes}, and it would have ${bytes}`);
    return [];
  }
  const { written } = growth;
  if (written.items === 0) return [];
  if (written.items > maxItems) throw groupFull(`max_items is ${maxItems}, and this write alone has ${written.items}`);
  if (written.bytes > maxBytes) throw groupFull(`max_bytes is ${maxBytes}, and this write alone has ${written.bytes}`);
  const evicted: T[] = [];
  let chars = 0;
  for (const old of oldest()) {
    if (growth.touches(old.item)) continue;
    evicted.push(old);
    chars += old.data.length;
    items--;
    bytes -= bytesOf(old.item, old.data);
    if ((items <= maxItems && bytes <= maxBytes) || evicted.length >= most || chars >= BATCH_CHARS) break;
  }
  return evicted;
}

/** Returns the error of a write that its group has no room for. */
export function groupFull(reason: string): RivuletError {
  return new RivuletError('GROUP_FULL', `the group is full: ${reason}; delete items, or raise the bound in group_bounds`);
}
