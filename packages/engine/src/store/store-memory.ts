import { randomUUID } from 'node:crypto';
import { type Position, RivuletError } from '@rivulet/protocol';
import { chunked } from '../structures/chunked.js';
import type { Clock } from '../structures/clock.js';
import { PairMap } from '../structures/pair-map.js';
import { effectOf, valueIdOf } from './change-effect.js';
import { requireId } from './ids.js';
import type {
  ApplyResult,
  Change,
  ChangeEntry,
  Changes,
  GroupRef,
  ItemRead,
  Snapshot,
  StoredItem,
  StoreEvents,
  StreamStore,
} from './store.js';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** How long a delete stays known to `changes`, in milliseconds. */
  readonly tombstoneRetentionMs: number;
}

const SWEEP_MS = 60_000;
const CHUNK_ITEMS = 256;

type Tombstone = Extract<ChangeEntry, { kind: 'tombstone' }> & { readonly deletedAt: number };

interface Group extends GroupRef {
  /** In order of creation, since a Map keeps the place of a key that is overwritten. Replaced, not changed, while a snapshot reads it. */
  items: Map<string, StoredItem>;
  /** Open snapshots that read `items` as it is. */
  readers: number;
  readonly tombstones: Map<string, Tombstone>;
  offset: number;
  timestamp: number;
  /** `changes` can't answer below it. */
  floor: number;
}

/** Everything in this process's memory; the epoch ends with it. */
export function createMemoryStore(options: MemoryStoreOptions): StreamStore {
  return new MemoryStore(options);
}

class MemoryStore implements StreamStore {
  readonly #clock: Clock;
  readonly #retentionMs: number;
  readonly #epoch = randomUUID();
  readonly #groups = new PairMap<Group>();
  readonly #streams = new Map<string, Map<string, Group>>();
  #events: StoreEvents | undefined;
  #sweep: NodeJS.Timeout | undefined;
  /** Highest offset and stamp of groups that are forgotten: a group that comes back starts after them. */
  #removed = { offset: 0, timestamp: 0 };

  constructor(options: MemoryStoreOptions) {
    this.#clock = options.clock;
    this.#retentionMs = options.tombstoneRetentionMs;
  }

  start(events: StoreEvents): Promise<void> {
    this.#events = events;
    this.#sweep = setInterval(() => this.#forgetOld(), SWEEP_MS);
    this.#sweep.unref();
    return Promise.resolve();
  }

  apply(change: Change): Promise<ApplyResult> {
    try {
      return Promise.resolve(this.#apply(change));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  get(ref: GroupRef, item: string): Promise<ItemRead> {
    const group = this.#groups.get(ref.stream, ref.group);
    return this.#reading(() => ({
      value: group?.items.get(item),
      position: this.#position(group),
      timestamp: group?.timestamp ?? this.#clock.now() - 1,
    }));
  }

  snapshot(ref: GroupRef): Promise<Snapshot> {
    return this.#reading(() => {
      const group = this.#groups.get(ref.stream, ref.group);
      const base = { position: this.#position(group), timestamp: group?.timestamp ?? this.#clock.now() - 1 };
      if (group === undefined || group.items.size <= CHUNK_ITEMS) {
        const items = group === undefined ? [] : [...group.items.values()];
        return { ...base, chunks: () => single(items), close() {} };
      }
      const { items } = group;
      group.readers++;
      let open = true;
      const close = () => {
        // A writer that replaced the map meanwhile has begun a new count.
        if (open && group.items === items) group.readers--;
        open = false;
      };
      return { ...base, chunks: () => chunked(items.values(), CHUNK_ITEMS, close), close };
    });
  }

  changes(ref: GroupRef, since: Position): Promise<Changes> {
    return this.#reading(() => {
      const group = this.#groups.get(ref.stream, ref.group);
      if (since.epoch !== this.#epoch) return { kind: 'stale', reason: 'epoch' };
      if (since.offset < (group?.floor ?? this.#removed.offset)) return { kind: 'stale', reason: 'floor' };
      const entries: ChangeEntry[] = [];
      for (const item of group?.items.values() ?? []) if (item.changed > since.offset) entries.push({ kind: 'item', ...item });
      for (const { deletedAt: _, ...tombstone } of group?.tombstones.values() ?? [])
        if (tombstone.changed > since.offset) entries.push(tombstone);
      entries.sort((a, b) => a.changed - b.changed);
      return {
        kind: 'changes',
        position: this.#position(group),
        timestamp: group?.timestamp ?? this.#clock.now() - 1,
        chunks: () => chunked(entries.values(), CHUNK_ITEMS, () => {}),
        close() {},
      };
    });
  }

  groups(stream: string): Promise<readonly string[]> {
    return this.#reading(() =>
      [...(this.#streams.get(stream)?.values() ?? [])]
        .filter(hasItems)
        .map((group) => group.group)
        .sort(),
    );
  }

  streams(): Promise<readonly string[]> {
    return this.#reading(() =>
      [...this.#streams]
        .filter(([, groups]) => [...groups.values()].some(hasItems))
        .map(([stream]) => stream)
        .sort(),
    );
  }

  watch(): Promise<void> {
    return Promise.resolve();
  }

  unwatch(): void {}

  close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#events = undefined;
    return Promise.resolve();
  }

  #reading<T>(read: () => T): Promise<T> {
    if (this.#events === undefined) return Promise.reject(closedError());
    return Promise.resolve(read());
  }

  #apply(change: Change): ApplyResult {
    if (this.#events === undefined) throw closedError();
    requireId(change.stream, 'stream_name');
    requireId(change.group, 'group_id');
    if (change.item !== undefined) requireId(change.item, 'item_id');
    const known = this.#groups.get(change.stream, change.group);
    const stores = change.kind !== 'event' && change.kind !== 'external';
    const before = stores ? known?.items.get(change.item) : undefined;
    const effect = effectOf(change, before?.data);
    if (effect.kind === 'none') return { kind: 'unchanged', old: before?.data };
    const group = known ?? this.#open(change);
    const offset = ++group.offset;
    group.timestamp = Math.max(this.#clock.now(), group.timestamp + 1);
    let created = before?.created ?? 0;
    if (effect.kind === 'write' && change.item !== undefined) {
      created = before?.created ?? offset;
      this.#writable(group).set(change.item, { item: change.item, data: effect.data, created, changed: offset });
      group.tombstones.delete(change.item);
    } else if (effect.kind === 'remove' && change.item !== undefined) {
      this.#writable(group).delete(change.item);
      this.#bury(group, { item: change.item, data: effect.data, created, changed: offset });
    }
    const position = { epoch: this.#epoch, offset };
    this.#events.onCommit({
      stream: change.stream,
      group: change.group,
      item: change.item,
      effect: effect.kind === 'remove' ? 'delete' : effect.effect,
      position,
      timestamp: group.timestamp,
      created,
      data: effect.data,
      old: before?.data,
      eventType: change.kind === 'event' ? change.type : undefined,
    });
    return { kind: 'applied', old: before?.data, new: effect.kind === 'write' ? effect.data : undefined, position };
  }

  #bury(group: Group, item: StoredItem): void {
    group.tombstones.set(item.item, {
      kind: 'tombstone',
      item: item.item,
      changed: item.changed,
      created: item.created,
      valueId: valueIdOf(item.data),
      deletedAt: this.#clock.now(),
    });
  }

  #open(ref: GroupRef): Group {
    const group: Group = {
      stream: ref.stream,
      group: ref.group,
      items: new Map(),
      readers: 0,
      tombstones: new Map(),
      offset: this.#removed.offset,
      timestamp: this.#removed.timestamp,
      floor: this.#removed.offset,
    };
    this.#groups.set(ref.stream, ref.group, group);
    let groups = this.#streams.get(ref.stream);
    if (groups === undefined) {
      groups = new Map();
      this.#streams.set(ref.stream, groups);
    }
    groups.set(ref.group, group);
    return group;
  }

  #writable(group: Group): Map<string, StoredItem> {
    if (group.readers > 0) {
      group.items = new Map(group.items);
      group.readers = 0;
    }
    return group.items;
  }

  #position(group: Group | undefined): Position {
    return { epoch: this.#epoch, offset: group?.offset ?? this.#removed.offset };
  }

  /** Forgets old tombstones, raising the floor, and groups that hold nothing any more. */
  #forgetOld(): void {
    const oldest = this.#clock.now() - this.#retentionMs;
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
      const groups = this.#streams.get(group.stream);
      groups?.delete(group.group);
      if (groups?.size === 0) this.#streams.delete(group.stream);
    }
  }
}

function hasItems(group: Group): boolean {
  return group.items.size > 0;
}

function closedError(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
}

async function* single<T>(items: readonly T[]): AsyncIterable<readonly T[]> {
  if (items.length > 0) yield items;
}
