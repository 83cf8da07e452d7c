import type { BoundsOf, Change, ChangeEntry, Commit, GroupRef, StoredItem } from '@rivulet/engine/store';
import type { JsonText } from '@rivulet/protocol';

/** When an item expires: in the steady time of the model, or some time after the next start. */
export type Going = { readonly at: number; readonly isByAge?: boolean } | { readonly graceMs: number };

export interface ModelGroup {
  readonly ref: GroupRef;
  /** Items in the order of creation. */
  items: Map<string, StoredItem>;
  tombstones: Map<string, ChangeEntry>;
  going: Map<string, Going>;
  offset: number;
  timestamp: number;
  /** Offsets may jump ahead once, at the first change after the store was opened again. */
  mayJump: boolean;
}

/** The expected outcome of a change, without its offset: the store may choose it after it was opened again. */
export type Expected =
  | {
      readonly kind: 'applied';
      readonly old: JsonText | undefined;
      readonly new: JsonText | undefined;
      readonly commit: Omit<Commit, 'position'>;
    }
  | { readonly kind: 'unchanged'; readonly old: JsonText | undefined }
  | { readonly kind: 'failed'; readonly code: string };

/** The expected content of a store, as plain maps and lists. */
export class StoreModel {
  readonly #groups = new Map<string, ModelGroup>();
  /** The wall clock, which may jump. */
  now: number;
  /** The time that has really passed. */
  elapsed = 0;
  /** The wall clock minus the passed time, at the moment when the store was opened. */
  #base: number;

  readonly boundsOf: BoundsOf;

  constructor(now: number, boundsOf: BoundsOf = () => undefined) {
    this.boundsOf = boundsOf;
    this.now = now;
    this.#base = now;
  }

  get steady(): number {
    return this.#base + this.elapsed;
  }

  /** Executes a change. `offset` is the one that the store gave it. Throws for a wrong one. */
  apply(change: Change, offset: number | undefined, through?: number): Expected {
    const group = this.group(change);
    const stores = change.kind !== 'event' && change.kind !== 'external';
    const before = stores ? group.items.get(change.item) : undefined;
    const old = before?.data;
    const data = dataOf(change, old);
    if (data === FAILED) return { kind: 'failed', code: 'VALUE_TOO_LARGE' };
    if (data === undefined) return { kind: 'unchanged', old };
    if (offset === undefined || offset <= group.offset || (!group.mayJump && offset !== group.offset + 1)) {
      throw new Error(`offset ${offset} follows ${group.offset}`);
    }
    group.mayJump = false;
    group.offset = offset;
    group.timestamp = Math.max(this.now, group.timestamp + 1);
    let created = before?.created ?? 0;
    if (change.kind === 'delete') {
      group.items.delete(change.item);
      group.tombstones.set(change.item, { kind: 'tombstone', item: change.item, changed: offset, created, valueId: idOf(data) });
    } else if (change.kind === 'set' || change.kind === 'update') {
      created ||= offset;
      group.items.set(change.item, { item: change.item, data, created, changed: offset });
      group.tombstones.delete(change.item);
    }
    if (change.kind === 'delete' || change.kind === 'set') group.going.delete(change.item);
    if (change.kind === 'set' || change.kind === 'update') this.#age(group, change.item);
    const effect = change.kind === 'event' ? 'event' : change.kind === 'external' ? change.effect : undefined;
    const commit = {
      stream: change.stream,
      group: change.group,
      item: change.item,
      effect: effect ?? (change.kind === 'delete' ? 'delete' : before === undefined ? 'create' : 'update'),
      timestamp: group.timestamp,
      created,
      data,
      old,
      eventType: change.kind === 'event' ? change.type : undefined,
      through,
    } as const;
    return { kind: 'applied', old, new: change.kind === 'set' || change.kind === 'update' ? data : undefined, commit };
  }

  /** Gives a changed item the time of its age, unless a write gave it a time of its own. */
  #age(group: ModelGroup, item: string): void {
    const going = group.going.get(item);
    if (going !== undefined && !('at' in going && going.isByAge === true)) return;
    const maxAgeMs = this.boundsOf(group.ref.stream)?.maxAgeMs;
    if (maxAgeMs !== undefined) group.going.set(item, { at: this.steady + maxAgeMs, isByAge: true });
  }

  /** Opens the store again: offsets may jump, deadlines follow the wall clock, and leased items expire after their grace time. */
  reopened(): void {
    this.#base = this.now - this.elapsed;
    for (const group of this.#groups.values()) {
      group.mayJump = true;
      for (const [item, going] of group.going) if ('graceMs' in going) group.going.set(item, { at: this.steady + going.graceMs });
    }
  }

  /** Returns the items that have expired. */
  due(ref: GroupRef): Map<string, number> {
    const due = new Map<string, number>();
    for (const [item, going] of this.group(ref).going) if ('at' in going && going.at <= this.steady) due.set(item, going.at);
    return due;
  }

  offsetOf(ref: GroupRef): number {
    return this.group(ref).offset;
  }

  /** Returns the timestamp of a group; for a group without history, one millisecond before now. */
  timestampOf(ref: GroupRef): number {
    const { timestamp } = this.group(ref);
    return timestamp === 0 ? this.now - 1 : timestamp;
  }

  items(ref: GroupRef): StoredItem[] {
    return [...this.group(ref).items.values()];
  }

  item(ref: GroupRef, item: string): StoredItem | undefined {
    return this.group(ref).items.get(item);
  }

  changesSince(ref: GroupRef, offset: number): ChangeEntry[] {
    const { items, tombstones } = this.group(ref);
    const entries: ChangeEntry[] = [...[...items.values()].map((item) => ({ kind: 'item' as const, ...item })), ...tombstones.values()];
    return entries.filter(({ changed }) => changed > offset).sort((a, b) => a.changed - b.changed);
  }

  groups(stream: string): string[] {
    return this.#filled()
      .filter((ref) => ref.stream === stream)
      .map(({ group }) => group)
      .sort();
  }

  streams(): string[] {
    return [...new Set(this.#filled().map(({ stream }) => stream))].sort();
  }

  group(ref: GroupRef): ModelGroup {
    const key = JSON.stringify([ref.stream, ref.group]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const { stream, group: name } = ref;
      group = {
        ref: { stream, group: name },
        items: new Map(),
        tombstones: new Map(),
        going: new Map(),
        offset: 0,
        timestamp: 0,
        mayJump: false,
      };
      this.#groups.set(key, group);
    }
    return group;
  }

  #filled(): GroupRef[] {
    return [...this.#groups.values()].filter(({ items }) => items.size > 0).map(({ ref }) => ref);
  }
}

const FAILED = Symbol('failed');

/** Returns the value that a change publishes; `undefined` when it has no effect. */
function dataOf(change: Change, old: JsonText | undefined): JsonText | undefined | typeof FAILED {
  if (change.kind === 'delete') return old;
  if (change.kind !== 'update') return change.data;
  try {
    return change.compute(old);
  } catch {
    return FAILED;
  }
}

function idOf(data: JsonText): JsonText | undefined {
  const value: unknown = JSON.parse(data);
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !('id' in value)) return undefined;
  return JSON.stringify(value.id);
}
