import { randomUUID } from 'node:crypto';
import { type JsonText, type Position, RivuletError } from '@rivulet/protocol';
import { chunked } from '../../structures/chunked.js';
import { type Clock, type ClockTimer, timersOf } from '../../structures/clock.js';
import { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import { EVERYTHING } from '../../structures/sorted-names.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { BoundsOf } from '../bounds.js';
import { type Effect, effectOf } from '../shared/change-effect.js';
import { charsOf } from '../shared/chars-of.js';
import type { DumpableStore, DumpSource } from '../shared/dump.js';
import { bytesOf, type Effected, evictedBy, growthOf, unbounded } from '../shared/group-bounds.js';
import { requireId } from '../shared/ids.js';
import { type ExpiryCause, lifetimeOf } from '../shared/lifetime.js';
import { valueIdOf } from '../shared/value-id.js';
import { expiryOf, planInSteps, requireIds } from '../shared/write-plan.js';
import type {
  ApplyResult,
  Change,
  ChangeEntry,
  Changes,
  Commit,
  GroupRef,
  ItemRead,
  NamesPage,
  PageBounds,
  Snapshot,
  StoredItem,
  StoreEvents,
  WithoutGroup,
  WritableStore,
  Write,
  WriteChange,
  WriteResult,
} from '../store.js';
import { Deadlines } from './deadlines.js';
import { type Group, MemoryGroups, oldestItems } from './groups.js';
import { MemoryKeys } from './idempotency-keys.js';
import { MemoryDump } from './memory-dump.js';
import { SlicedWrites } from './sliced-writes.js';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** How long a delete stays known to `changes`, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** Returns the bounds of the groups of a stream. @default no stream has bounds */
  readonly boundsOf?: BoundsOf;
}

const SWEEP_MS = 60_000;
/** Between two checks for expired items. */
const EXPIRY_MS = 250;
/** Expired items that one step deletes. */
const EXPIRED_AT_ONCE = 100;
const CHUNK_ITEMS = 256;
/** Expiry touches many groups, so it waits in the queue under a name that no group has. */
const EVERYWHERE: GroupRef = { stream: '', group: '' };

type AnyChange = WriteChange | WithoutGroup<Extract<Change, { kind: 'external' }>>;

/** Returns a store in the memory of this process. Its epoch and its items end with the process. */
export function createMemoryStore(options: MemoryStoreOptions): WritableStore {
  return new MemoryStore(options);
}

class MemoryStore implements WritableStore, DumpableStore {
  readonly #clock: Clock;
  readonly #retentionMs: number;
  readonly #time: MonotonicWallClock;
  readonly #keys = new MemoryKeys();
  readonly #deadlines = new Deadlines();
  readonly #epoch = randomUUID();
  readonly #groups: MemoryGroups;
  readonly #boundsOf: BoundsOf;
  readonly #turns: TurnBudget;
  readonly #writes: SlicedWrites;
  #events: StoreEvents | undefined;
  #timers: ClockTimer[] = [];

  constructor(options: MemoryStoreOptions) {
    this.#clock = options.clock;
    this.#retentionMs = options.tombstoneRetentionMs;
    this.#boundsOf = options.boundsOf ?? unbounded;
    this.#groups = new MemoryGroups(this.#boundsOf);
    this.#time = new MonotonicWallClock(options.clock);
    this.#turns = TurnBudget.of(options.clock);
    this.#writes = new SlicedWrites(this.#turns);
  }

  start(events: StoreEvents): Promise<void> {
    this.#events = events;
    const timers = timersOf(this.#clock);
    this.#timers = [
      timers.every(SWEEP_MS, () => this.#forget()),
      timers.every(EXPIRY_MS, () => {
        // The next check tries again.
        this.#expire().catch(() => {});
      }),
    ];
    for (const timer of this.#timers) timer.unref();
    return Promise.resolve();
  }

  apply(change: Change, origin?: string): Promise<ApplyResult> {
    if (!this.#writes.isFree) return this.#writes.run({ next: () => ({ done: true, value: this.#apply(change) }) }, change, origin);
    try {
      return Promise.resolve(this.#apply(change));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  write(write: Write, origin?: string): Promise<WriteResult> {
    return this.#writes.run(this.#writing(write), write, origin);
  }

  get(ref: GroupRef, item: string): Promise<ItemRead> {
    const group = this.#groups.get(ref);
    const value = group?.items.get(item);
    if (value !== undefined) this.#turns.charge(value.data.length);
    return this.#reading(() => ({
      value,
      position: this.#position(group),
      timestamp: group?.timestamp ?? this.#clock.now() - 1,
    }));
  }

  snapshot(ref: GroupRef): Promise<Snapshot> {
    return this.#reading(() => {
      const group = this.#groups.get(ref);
      const base = { position: this.#position(group), timestamp: group?.timestamp ?? this.#clock.now() - 1 };
      if (group === undefined || group.items.size <= CHUNK_ITEMS) {
        const items = group === undefined ? [] : [...group.items.values()];
        return { ...base, chunks: () => chunked(items, CHUNK_ITEMS, () => {}, charsOf), close() {} };
      }
      const { items } = group;
      group.readers++;
      let open = true;
      const close = () => {
        // A writer that replaced the map has begun a new count of readers.
        if (open && group.items === items) group.readers--;
        open = false;
      };
      return { ...base, chunks: () => chunked(items.values(), CHUNK_ITEMS, close, charsOf), close };
    });
  }

  changes(ref: GroupRef, since: Position): Promise<Changes> {
    return this.#reading(() => {
      const group = this.#groups.get(ref);
      if (since.epoch !== this.#epoch) return { kind: 'stale', reason: 'epoch' };
      if (since.offset < (group?.floor ?? this.#groups.firstOffset)) return { kind: 'stale', reason: 'floor' };
      const entries: ChangeEntry[] = [];
      for (const item of group?.items.values() ?? []) if (item.changed > since.offset) entries.push({ kind: 'item', ...item });
      for (const { deletedAt: _, ...tombstone } of group?.tombstones.values() ?? [])
        if (tombstone.changed > since.offset) entries.push(tombstone);
      entries.sort((a, b) => a.changed - b.changed);
      return {
        kind: 'changes',
        position: this.#position(group),
        timestamp: group?.timestamp ?? this.#clock.now() - 1,
        chunks: () => chunked(entries.values(), CHUNK_ITEMS, () => {}, charsOf),
        close() {},
      };
    });
  }

  async groups(stream: string): Promise<readonly string[]> {
    return (await this.groupsPage(stream, EVERYTHING)).names;
  }

  async streams(): Promise<readonly string[]> {
    return (await this.streamsPage(EVERYTHING)).names;
  }

  groupsPage(stream: string, bounds: PageBounds): Promise<NamesPage> {
    return this.#reading(() => this.#groups.namesIn(stream, bounds, this.#turns));
  }

  streamsPage(bounds: PageBounds): Promise<NamesPage> {
    return this.#reading(() => this.#groups.streams(bounds, this.#turns));
  }

  watch(): Promise<void> {
    return Promise.resolve();
  }

  unwatch(): void {}

  /** Returns the content of the store, for an export. */
  dump(): DumpSource {
    this.#opened();
    return new MemoryDump(this.#groups, this.#epoch, this.#turns);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) timersOf(this.#clock).cancel(timer);
    await this.#writes.settled();
    this.#events = undefined;
  }

  #opened(): StoreEvents {
    if (this.#events === undefined) throw closedError();
    return this.#events;
  }

  #forget(): void {
    this.#keys.sweep(this.#time.now());
    this.#groups.forget(this.#clock.now() - this.#retentionMs);
  }

  #reading<T>(read: () => T | Promise<T>): Promise<T> {
    if (this.#events === undefined) return Promise.reject(closedError());
    return Promise.resolve(read());
  }

  #apply(change: Change): ApplyResult {
    const events = this.#opened();
    requireId(change.stream, 'stream_name');
    requireId(change.group, 'group_id');
    if (change.item !== undefined) requireId(change.item, 'item_id');
    const known = this.#groups.get(change);
    const stores = change.kind !== 'event' && change.kind !== 'external';
    const old = stores ? known?.items.get(change.item)?.data : undefined;
    const effect = effectOf(change, old);
    if (effect.kind === 'none') return { kind: 'unchanged', old };
    const evicted = effect.kind === 'write' ? this.#evictedBy(change, known, [{ change, effect, old }]) : [];
    const group = known ?? this.#groups.open(change);
    const through = evicted.length === 0 ? undefined : group.offset + 1 + evicted.length;
    const commit = this.#perform(group, change, effect, through);
    const deletes = evicted.map(({ item, data }) =>
      this.#perform(group, { kind: 'delete', item, by: 'bound' }, { kind: 'remove', data }, through),
    );
    for (const each of [commit, ...deletes]) events.onCommit(each);
    // The answer carries both values, and subscribers get the new one.
    this.#turns.charge((old?.length ?? 0) + 2 * commit.data.length);
    return { kind: 'applied', old, new: effect.kind === 'write' ? effect.data : undefined, position: commit.position };
  }

  /** Decides the write in steps, then executes all of it in one step. */
  *#writing(write: Write): Generator<void, WriteResult> {
    const events = this.#opened();
    requireIds(write);
    const { once } = write;
    const now = this.#time.now();
    const answer = once && this.#keys.find(write, once, now);
    if (answer !== undefined) return { kind: 'replayed', answer };
    let group = this.#groups.get(write);
    const { offset } = this.#position(group);
    const plan = yield* planInSteps(write, { epoch: this.#epoch, offset, read: (item) => group?.items.get(item) });
    const key = once && this.#keys.prepare(write, once, once.answer(plan.result), now);
    const evicted = this.#evictedBy(write, group, plan.steps);
    const last = (plan.steps.at(-1)?.offset ?? offset) + evicted.length;
    const through = evicted.length === 0 ? plan.through : last;
    const commits: Commit[] = [];
    for (const { change, effect } of plan.steps) {
      if (effect.kind !== 'none') commits.push(this.#perform((group ??= this.#groups.open(write)), change, effect, through));
      else if (change.item !== undefined && expiryOf(change) !== undefined && group?.items.has(change.item)) this.#expires(group, change);
    }
    for (const { item, data } of evicted)
      if (group !== undefined) commits.push(this.#perform(group, { kind: 'delete', item, by: 'bound' }, { kind: 'remove', data }, through));
    key?.remember();
    for (const commit of commits) events.onCommit(commit);
    return plan.result;
  }

  /** Returns the items that leave with a write, by the bounds of its group. Throws GROUP_FULL. */
  #evictedBy(ref: GroupRef, group: Group | undefined, steps: readonly Effected[]): readonly StoredItem[] {
    const bounds = group === undefined ? this.#boundsOf(ref.stream) : group.bounds;
    if (bounds === undefined) return [];
    const growth = growthOf(steps);
    const size = { items: group?.items.size ?? 0, bytes: group?.bytes ?? 0 };
    return evictedBy(bounds, size, growth, () => (group === undefined ? [] : oldestItems(group, (item) => growth.touches(item))));
  }

  /** Takes the next offset and stores the effect. */
  #perform(group: Group, change: AnyChange, effect: Exclude<Effect, { kind: 'none' }>, through: number | undefined): Commit {
    const { item } = change;
    const before = effect.kind === 'publish' || item === undefined ? undefined : group.items.get(item);
    const offset = ++group.offset;
    group.timestamp = Math.max(this.#clock.now(), group.timestamp + 1);
    let created = before?.created ?? 0;
    if (effect.kind === 'write' && item !== undefined) {
      created = before?.created ?? offset;
      if (group.items.size === 0) this.#groups.becameFilled(group);
      this.#count(group, item, before?.data, effect.data);
      this.#writable(group).set(item, { item, data: effect.data, created, changed: offset });
      group.tombstones.delete(item);
      this.#expires(group, change);
    } else if (effect.kind === 'remove' && item !== undefined) {
      this.#writable(group).delete(item);
      this.#count(group, item, before?.data, undefined);
      if (group.items.size === 0) this.#groups.becameEmpty(group);
      this.#writeTombstone(group, { item, data: effect.data, created, changed: offset });
      this.#makePermanent(group, item);
    }
    return {
      stream: group.stream,
      group: group.group,
      item,
      effect: effect.kind === 'remove' ? 'delete' : effect.effect,
      position: { epoch: this.#epoch, offset },
      timestamp: group.timestamp,
      created,
      data: effect.data,
      old: before?.data,
      eventType: change.kind === 'event' ? change.type : undefined,
      through,
      deletedBy: change.kind === 'delete' ? change.by : undefined,
    };
  }

  /** Counts the bytes of a changed item, if the group has a bound of bytes. */
  #count(group: Group, item: string, before: JsonText | undefined, after: JsonText | undefined): void {
    if (group.bounds?.maxBytes === undefined) return;
    group.bytes += (after === undefined ? 0 : bytesOf(item, after)) - (before === undefined ? 0 : bytesOf(item, before));
  }

  /** Sets the expiry of a changed item; `lifetimeOf` decides it. */
  #expires(group: Group, change: AnyChange): void {
    const { item } = change;
    if (item === undefined) return;
    const lifetime = lifetimeOf(change, causeOf(group, item), group.bounds);
    if (lifetime.kind === 'kept') return;
    this.#makePermanent(group, item);
    // A leased item expires after a restart, and no item of this store survives one. An export carries its lease to another store.
    if (lifetime.kind === 'held') group.leased.set(item, lifetime.graceMs);
    if (lifetime.kind !== 'ttl' && lifetime.kind !== 'age') return;
    const isByAge = lifetime.kind === 'age';
    const deadline = { stream: group.stream, group: group.group, item, at: this.#time.now() + lifetime.ms, isByAge };
    group.deadlines.set(item, deadline);
    this.#deadlines.add(deadline);
  }

  #makePermanent(group: Group, item: string): void {
    if (group.leased.size > 0) group.leased.delete(item);
    const deadline = group.deadlines.size === 0 ? undefined : group.deadlines.get(item);
    if (deadline === undefined) return;
    group.deadlines.delete(item);
    this.#deadlines.remove(deadline);
  }

  /** Deletes expired items. A timer does the same four times a second. */
  async expireNow(): Promise<void> {
    await this.#expire();
  }

  #expire(): Promise<void> {
    return this.#events === undefined ? Promise.resolve() : this.#writes.run(this.#expiring(), EVERYWHERE, undefined);
  }

  *#expiring(): Generator<void, void> {
    for (;;) {
      if (this.#events === undefined) return;
      const due = this.#deadlines.due(this.#time.now(), EXPIRED_AT_ONCE);
      for (const { stream, group, item, isByAge } of due)
        this.#apply({ kind: 'delete', stream, group, item, by: isByAge ? 'bound' : 'ttl' });
      if (due.length < EXPIRED_AT_ONCE) return;
      yield;
    }
  }

  #writeTombstone(group: Group, item: StoredItem): void {
    group.tombstones.set(item.item, {
      kind: 'tombstone',
      item: item.item,
      changed: item.changed,
      created: item.created,
      valueId: valueIdOf(item.data),
      deletedAt: this.#clock.now(),
    });
  }

  /** Returns the items for a write: a copy when a snapshot reads them. */
  #writable(group: Group): Map<string, StoredItem> {
    if (group.readers > 0) {
      group.items = new Map(group.items);
      group.readers = 0;
    }
    return group.items;
  }

  #position(group: Group | undefined): Position {
    return { epoch: this.#epoch, offset: group?.offset ?? this.#groups.firstOffset };
  }
}

function causeOf(group: Group, item: string): ExpiryCause {
  const deadline = group.deadlines.size === 0 ? undefined : group.deadlines.get(item);
  if (deadline !== undefined) return deadline.isByAge ? 'age' : 'own';
  return group.leased.has(item) ? 'own' : undefined;
}

function closedError(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
}
