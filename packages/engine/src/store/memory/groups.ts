import { PairMap } from '../../structures/pair-map.js';
import { type NamesPage, type PageBounds, pageInSlices, SortedNames } from '../../structures/sorted-names.js';
import type { TurnBudget } from '../../structures/turn-budget.js';
import type { ChangeEntry, GroupRef, StoredItem } from '../store.js';
import type { Deadline } from './deadlines.js';

type Tombstone = Extract<ChangeEntry, { kind: 'tombstone' }> & { readonly deletedAt: number };

export interface Group extends GroupRef {
  /** In order of creation, since a Map keeps the place of a key that is overwritten. Replaced, not changed, while a snapshot reads it. */
  items: Map<string, StoredItem>;
  /** Open snapshots that read `items` as it is. */
  readers: number;
  readonly tombstones: Map<string, Tombstone>;
  /** Of the items that have one. */
  readonly deadlines: Map<string, Deadline>;
  offset: number;
  timestamp: number;
  /** `changes` can't answer below it. */
  floor: number;
}

const NOTHING: NamesPage = { names: [], more: false };

/** The groups of an in-memory store. */
export class MemoryGroups {
  readonly #groups = new PairMap<Group>();
  /** Of each stream, the groups that hold an item. */
  readonly #filled = new Map<string, SortedNames>();
  readonly #streams = new SortedNames();
  /** Highest offset and stamp of groups that are forgotten: a group that comes back starts after them. */
  #removed = { offset: 0, timestamp: 0 };

  get(ref: GroupRef): Group | undefined {
    return this.#groups.get(ref.stream, ref.group);
  }

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
    };
    this.#groups.set(ref.stream, ref.group, group);
    return group;
  }

  /** Where a group stands that has no history. */
  get firstOffset(): number {
    return this.#removed.offset;
  }

  /** The group holds its first item, or its last one is gone. */
  becameFilled(group: Group): void {
    let names = this.#filled.get(group.stream);
    if (names === undefined) {
      names = new SortedNames();
      this.#filled.set(group.stream, names);
      this.#streams.add(group.stream);
    }
    names.add(group.group);
  }

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

  /** Forgets tombstones of deletes until `oldest`, raising the floor, and groups that hold nothing any more. */
  forget(oldest: number): void {
    for (const group of Array.from(this.#groups.values())) {
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
