import { PairMap } from '../../structures/pair-map.js';
import { type NamesPage, type PageBounds, pageInSlices, SortedNames } from '../../structures/sorted-names.js';
import type { TurnBudget } from '../../structures/turn-budget.js';
import type { BoundsOf, GroupBounds } from '../bounds.js';
import type { ChangeEntry, GroupRef, StoredItem } from '../store.js';
import type { Deadline } from './deadlines.js';

type Tombstone = Extract<ChangeEntry, { kind: 'tombstone' }> & { readonly deletedAt: number };

export interface Group extends GroupRef {
  /**
   * Items in the order of creation, because a Map keeps the place of a key that is overwritten. While a snapshot reads the map, a write
   * replaces it by a copy.
   */
  items: Map<string, StoredItem>;
  /** Number of open snapshots that read `items`. */
  readers: number;
  readonly tombstones: Map<string, Tombstone>;
  /** The deadlines of the items that expire. */
  readonly deadlines: Map<string, Deadline>;
  offset: number;
  timestamp: number;
  /** The lowest offset from which `changes` can report every delete. */
  floor: number;
  readonly bounds: GroupBounds | undefined;
  /** Leased items, with the milliseconds of their grace. */
  readonly leased: Map<string, number>;
  /** Bytes of all item ids and values. They are counted only if `bounds` has `maxBytes`. */
  bytes: number;
  /**
   * Iterates over `items` from the oldest one. A new iterator skips the places of deleted items one by one, so the last one is kept while
   * everything that it returned is deleted.
   */
  oldest: { readonly of: ReadonlyMap<string, StoredItem>; readonly iterator: MapIterator<StoredItem> } | undefined;
}

const NOTHING: NamesPage = { names: [], more: false };

/** Iterates over the items of a group from the oldest one, without those that stay. The caller deletes every item that it gets. */
export function* oldestItems(group: Group, stays: (item: string) => boolean): Generator<StoredItem, void> {
  if (group.oldest?.of !== group.items) group.oldest = { of: group.items, iterator: group.items.values() };
  const { iterator } = group.oldest;
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
    // The next call must find this item again, so it begins a new iterator.
    if (stays(next.value.item)) group.oldest = undefined;
    else yield next.value;
  }
  group.oldest = undefined;
}

/** The groups of an in-memory store. */
export class MemoryGroups {
  readonly #groups = new PairMap<Group>();
  readonly #boundsOf: BoundsOf;
  /** The groups of each stream that have an item. */
  readonly #filled = new Map<string, SortedNames>();
  readonly #streams = new SortedNames();
  /** Highest offset and timestamp of all removed groups. A group that comes back starts after them, so no offset is used twice. */
  #removed = { offset: 0, timestamp: 0 };

  constructor(boundsOf: BoundsOf) {
    this.#boundsOf = boundsOf;
  }

  /** Returns a group that has a history; `undefined` otherwise. */
  get(ref: GroupRef): Group | undefined {
    return this.#groups.get(ref.stream, ref.group);
  }

  /** Creates a group. */
  open(ref: GroupRef): Group {
    const group: Group = {
      stream: ref.stream,
      group: ref.group,
      items: new Map(),
      readers: 0,
      tombstones: new Map(),
      deadlines: new Map(),
      offset: this.#removed.offset,
      timestamp: this.#removed.timestamp,
      floor: this.#removed.offset,
      bounds: this.#boundsOf(ref.stream),
      leased: new Map(),
      bytes: 0,
      oldest: undefined,
    };
    this.#groups.set(ref.stream, ref.group, group);
    return group;
  }

  /** Returns all groups that have a history. */
  all(): readonly Group[] {
    return Array.from(this.#groups.values());
  }

  /** The highest offset and timestamp of groups that were forgotten. */
  get removed(): { readonly offset: number; readonly timestamp: number } {
    return this.#removed;
  }

  /** The offset of a group without history. */
  get firstOffset(): number {
    return this.#removed.offset;
  }

  /** Adds the group to the lists of names. Call it when the group gets its first item. */
  becameFilled(group: Group): void {
    let names = this.#filled.get(group.stream);
    if (names === undefined) {
      names = new SortedNames();
      this.#filled.set(group.stream, names);
      this.#streams.add(group.stream);
    }
    names.add(group.group);
  }

  /** Removes the group from the lists of names. Call it when the group lost its last item. */
  becameEmpty(group: Group): void {
    const names = this.#filled.get(group.stream);
    names?.delete(group.group);
    if (names?.size !== 0) return;
    this.#filled.delete(group.stream);
    this.#streams.delete(group.stream);
  }

  /** Returns a page of the groups of a stream that hold an item. The event loop turns meanwhile. */
  namesIn(stream: string, bounds: PageBounds, turns: TurnBudget): Promise<NamesPage> {
    return pageInSlices((slice) => this.#filled.get(stream)?.page(slice) ?? NOTHING, bounds, turns);
  }

  /** Returns a page of the streams that have such a group. The event loop turns meanwhile. */
  streams(bounds: PageBounds, turns: TurnBudget): Promise<NamesPage> {
    return pageInSlices((slice) => this.#streams.page(slice), bounds, turns);
  }

  /** Removes tombstones of deletes until `oldest` (Unix milliseconds), raises the floors, and removes groups that are empty now. */
  forget(oldest: number): void {
    for (const group of this.all()) {
      for (const [item, tombstone] of group.tombstones) {
        if (tombstone.deletedAt > oldest) break;
        group.tombstones.delete(item);
        group.floor = Math.max(group.floor, tombstone.changed);
      }
      if (group.items.size > 0 || group.tombstones.size > 0 || group.timestamp > oldest) continue;
      this.#removed = {
        offset: Math.max(this.#removed.offset, group.offset),
        timestamp: Math.max(this.#removed.timestamp, group.timestamp),
      };
      this.#groups.delete(group.stream, group.group);
    }
  }
}
