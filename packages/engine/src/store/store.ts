import type { JsonText, Position, StreamEffect } from '@rivulet/protocol';
import type { Logger } from '../logging/logger.js';
import type { Clock } from '../structures/clock.js';
import type { NamesPage, PageBounds } from '../structures/sorted-names.js';

/**
 * What a store of streams owes the engine. A group `(stream, group)` is an ordered map of items with one history: every effect on it
 * takes the next offset and a timestamp, both assigned in the commit.
 *
 * The contract, checked by one suite against every store (packages/conformance):
 * - `apply` is atomic per item and answers only when the change is as durable as the store promises.
 * - Changes of a group take effect, and reach `onCommit`, in the order in which `apply` was called, in offset order, once.
 * - `onCommit` runs before the `apply` that caused it resolves, and nothing is readable before it is durable.
 * - Within one run of one store, offsets of a group are dense: +1 for each effect. Across runs they may jump ahead; in one epoch none is ever used twice.
 * - Timestamps of a group grow strictly: `max(now, last + 1)`, across runs too.
 * - A failed write leaves no trace: it takes no offset, is never readable, and does not fail the writes queued behind it.
 * Failures are thrown as `RivuletError` (STORE_FULL, STORE_UNAVAILABLE, CORRUPT_ITEM, OVERLOADED, VALUE_TOO_LARGE).
 */
export interface StreamStore {
  /** Opens the store. Called once, before anything but `close`. */
  start(events: StoreEvents): Promise<void>;
  /**
   * Executes one change. `origin` names the session that wants it, `undefined` the engine itself: a store may let origins take turns, so that
   * one session with many expensive changes delays others little. The changes of one origin keep their order.
   */
  apply(change: Change, origin?: string): Promise<ApplyResult>;
  /**
   * Changes of one group as one step, in line with those of `apply`: all of them or none, at consecutive offsets, with conditions that are
   * decided in the same step, and remembered under a key if it has one. Its commits reach `onCommit` in one synchronous run.
   * Optional: without it, the engine refuses what would need it (INVALID_ARGUMENTS), and everything else is as ever.
   */
  write?(write: Write, origin?: string): Promise<WriteResult>;
  get(ref: GroupRef, item: string): Promise<ItemRead>;
  /** All items in order of creation, from one consistent view. The caller must `close` it. */
  snapshot(ref: GroupRef, pace?: ReadPace): Promise<Snapshot>;
  /**
   * The items created after this one, as `snapshot` gives them; `undefined` when there is no such item. Optional: without it, the engine
   * passes over those before it.
   */
  snapshotAfter?(ref: GroupRef, item: string): Promise<Snapshot | undefined>;
  /**
   * Each item changed after `since` once, with its newest value, and a tombstone for each deleted one, in offset order.
   * `stale` when `since` is of another epoch or below the tombstone floor: only a snapshot helps then.
   */
  changes(ref: GroupRef, since: Position, pace?: ReadPace): Promise<Changes>;
  /** Groups of a stream that hold at least one item, sorted by UTF-16 code units. */
  groups(stream: string): Promise<readonly string[]>;
  /** Streams that hold at least one item, sorted. */
  streams(): Promise<readonly string[]>;
  /**
   * A part of `groups`, in the same order, without reading all of them at once. A group that holds items all the time is in one of the
   * pages that follow each other. Optional: without it, the engine takes the part from all of `groups`.
   */
  groupsPage?(stream: string, bounds: PageBounds): Promise<NamesPage>;
  /** The same for `streams`. */
  streamsPage?(bounds: PageBounds): Promise<NamesPage>;
  /** After it resolves, every later commit of the group reaches `onCommit`, whoever wrote it. Local commits always do. Calls are counted. */
  watch(ref: GroupRef): Promise<void>;
  unwatch(ref: GroupRef): void;
  /**
   * From when it takes effect, commits of the stream (`undefined`: of all) reach `onCommit` whoever wrote them, those of a group in order and
   * once. For triggers: what is missed while the way to others is cut off may stay missed. Calls are counted. Optional: a store of one
   * process alone has nobody to follow.
   */
  follow?(stream: string | undefined): void;
  unfollow?(stream: string | undefined): void;
  /**
   * Waits for queued writes, makes them durable, releases everything. Later calls fail with STORE_UNAVAILABLE. Also called, at most once
   * more, when `start` failed or never ran.
   */
  close(): Promise<void>;
}

/** A store that has everything `StreamStore` may leave out of writing. */
export type WritableStore = StreamStore & Required<Pick<StreamStore, 'write'>>;

/**
 * What the file of an adapter exports as `createStore`: it makes a store that is not started yet. Called once for each entry of the
 * configuration that names the file. When it fails, the engine does not start.
 */
export type StoreFactory = (options: StoreFactoryOptions) => StreamStore | Promise<StreamStore>;

export interface StoreFactoryOptions {
  /** What the configuration says under `adapter.config`, `{}` when it says nothing. Nobody has checked it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The source of timestamps. */
  readonly clock: Clock;
  /** Lines go to the log of the engine. */
  readonly logger: Logger;
  /** How long a delete must stay known to `changes`, in milliseconds. */
  readonly tombstoneRetentionMs: number;
}

export interface GroupRef {
  readonly stream: string;
  readonly group: string;
}

export interface StoreEvents {
  /** Must not throw. */
  onCommit(commit: Commit): void;
  /** Continuity of a group was lost (`epoch`) or commits were missed (`gap`); `position` is where it stands now. */
  onBreak(ref: GroupRef, reason: 'gap' | 'epoch', position: Position): void;
  /**
   * For stores that can lose the connection to their backend. `available: false` says that the watched group can be neither read nor written
   * and that commits of other processes do not arrive. `available: true` follows when all missed commits were reported, or `onBreak` was
   * called. A group gets these calls only between a `watch` that resolved and its `unwatch`. `ref` is `undefined` for the store as a whole;
   * that call comes before the calls for its groups.
   */
  onAvailability?(ref: GroupRef | undefined, available: boolean): void;
  /** @deprecated Use `onAvailability`. */
  onReach?(ref: GroupRef | undefined, reachable: boolean): void;
  /** Others took this process for gone and gave up the items that it held (`Expiry` of kind `held`): hold again what is still wanted. */
  onReleased?(): void;
}

/** `item` of an event may be absent: it concerns the whole group. */
export type Change =
  | { readonly kind: 'set'; readonly stream: string; readonly group: string; readonly item: string; readonly data: JsonText }
  | {
      readonly kind: 'update';
      readonly stream: string;
      readonly group: string;
      readonly item: string;
      /** Pure; may run more than once. Answers the new value, or `undefined` to leave the item as it is. */
      readonly compute: (old: JsonText | undefined) => JsonText | undefined;
      /**
       * Pure. Throws when `compute` would throw for every old value of this many UTF-8 bytes. A store may call it before it reads a large
       * value; a store that does not call it loses only time.
       */
      readonly requireSize?: ((oldBytes: number) => void) | undefined;
    }
  | { readonly kind: 'delete'; readonly stream: string; readonly group: string; readonly item: string }
  /** Takes an offset and is published; not stored. */
  | {
      readonly kind: 'event';
      readonly stream: string;
      readonly group: string;
      readonly item: string | undefined;
      readonly type: string;
      readonly data: JsonText;
    }
  /** A change that another backend has stored already: takes an offset and is published; not stored. */
  | {
      readonly kind: 'external';
      readonly stream: string;
      readonly group: string;
      readonly item: string;
      readonly effect: StreamEffect;
      readonly data: JsonText;
    };

export type ApplyResult =
  | {
      readonly kind: 'applied';
      /** Value before; `undefined` when the item did not exist (a stored `null` is the text `null`). Events and external changes: `undefined`. */
      readonly old: JsonText | undefined;
      /** Value after; `undefined` after a delete. */
      readonly new: JsonText | undefined;
      readonly position: Position;
    }
  /** Delete of a missing item, or an update that left the item as it was: no offset, no commit. */
  | { readonly kind: 'unchanged'; readonly old: JsonText | undefined };

/** A change without the names of its stream and group. */
export type WithoutGroup<C> = C extends unknown ? Omit<C, keyof GroupRef> : never;

/** @deprecated Use `WithoutGroup`. */
export type Unplaced<C> = WithoutGroup<C>;

/** What must hold of an item when its change takes effect. */
export type Condition =
  /** Its last change has exactly this position, as text. A text that is no position, or of another epoch, is that of no item. */
  { readonly kind: 'version'; readonly version: string } | { readonly kind: 'absent' };

/** How long an item lives. The store deletes it then, as a `delete` would, at most a second late, those due earlier first. */
export type Expiry =
  /** From this change on, in milliseconds that a jump of the wall clock doesn't touch; across a restart by the wall clock. */
  | { readonly kind: 'ttl'; readonly ms: number }
  /** While this run of the store lasts; and when it was not deleted or written anew until then, so long after the next start. */
  | { readonly kind: 'held'; readonly graceMs: number };

/**
 * One change of a `write`. A `set` without `expiry` makes the item permanent, an `update` without it leaves its time as it is, an
 * `update` with it renews the time even if it leaves the value as it is.
 */
export type WriteChange =
  | (WithoutGroup<Extract<Change, { kind: 'set' | 'update' }>> & {
      readonly condition?: Condition | undefined;
      readonly expiry?: Expiry | undefined;
      readonly unlessLeased?: UnlessLeased | undefined;
      /** @deprecated Use `unlessLeased`. */
      readonly unlessHeld?: UnlessLeased | undefined;
    })
  | (WithoutGroup<Extract<Change, { kind: 'delete' }>> & {
      readonly condition?: Condition | undefined;
      readonly unlessLeased?: UnlessLeased | undefined;
      /** @deprecated Use `unlessLeased`. */
      readonly unlessHeld?: UnlessLeased | undefined;
    })
  | WithoutGroup<Extract<Change, { kind: 'event' }>>;

/**
 * For stores that several processes share; other stores ignore it. The write does nothing and returns a conflict when the item is leased
 * (`Expiry` of kind `held`) by another process (`elsewhere`), or by any process, this one included (`anywhere`). Allowed only when the write
 * has one change; `anywhere` only after `onReleased`.
 */
export type UnlessLeased = 'elsewhere' | 'anywhere';

/** @deprecated Use `UnlessLeased`. */
export type UnlessHeld = UnlessLeased;

export interface Write extends GroupRef {
  readonly kind: 'write';
  /** At least one; later ones see what earlier ones did. An event stands alone. */
  readonly changes: readonly WriteChange[];
  /** Subscribers apply its commits in one step: each carries `through`. */
  readonly batch: boolean;
  readonly once?: Once | undefined;
}

/**
 * A write that takes effect once for each key and group: another one with the same key writes nothing and answers what this one answered.
 * Remembered with the write, as durable as it is, for `retentionMs`. What fails is not remembered.
 */
export interface Once {
  readonly key: string;
  readonly retentionMs: number;
  /** What is written; the same key with another one fails with INVALID_ARGUMENTS. */
  readonly fingerprint: string;
  /** What is remembered of the result. Pure; may run more than once. */
  readonly answer: (result: Exclude<WriteResult, { readonly kind: 'replayed' }>) => string;
}

export type WriteResult =
  /** One result for each change. */
  | { readonly kind: 'written'; readonly results: readonly ChangeResult[] }
  /** The condition of the change `index` did not hold; nothing was written. The item as it is. */
  | { readonly kind: 'conflict'; readonly index: number; readonly value: JsonText | undefined; readonly version: Position | undefined }
  /** The key was used; what was remembered of that write. */
  | { readonly kind: 'replayed'; readonly answer: string };

/** `version`: position of the last change of the item, which is this one if it had an effect; `undefined` when there is no item and was no effect. */
export type ChangeResult =
  | Extract<ApplyResult, { kind: 'applied' }>
  | { readonly kind: 'unchanged'; readonly old: JsonText | undefined; readonly version: Position | undefined };

/** One effect on a group, durable, in the order of its history. */
export interface Commit {
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
  readonly effect: StreamEffect | 'event';
  readonly position: Position;
  /** Unix milliseconds, strictly growing per group. */
  readonly timestamp: number;
  /** Offset at which the item was created; 0 for events and external changes. */
  readonly created: number;
  /** New value; the old value for a delete; the payload for an event. */
  readonly data: JsonText;
  /** Value before; `undefined` when the item did not exist. Events and external changes: `undefined`. */
  readonly old: JsonText | undefined;
  /** Type of an event; `undefined` otherwise. */
  readonly eventType: string | undefined;
  /** Offset of the last commit of the batch that this one is of; absent for one that stands alone. */
  readonly through?: number | undefined;
}

export interface ItemRead {
  /** `undefined` when there is no such item. */
  readonly value: StoredItem | undefined;
  /** Where the group stood when the item was read. */
  readonly position: Position;
  /** Timestamp of that position; a group without history answers now − 1. */
  readonly timestamp: number;
}

export interface StoredItem {
  readonly item: string;
  readonly data: JsonText;
  /** Offset of creation; orders the items of a group. */
  readonly created: number;
  /** Offset of the last change. */
  readonly changed: number;
}

/**
 * Who decides how fast a read goes on. At the pace of a `reader` (a peer that may stall) the store may end the read early: it fails with
 * OVERLOADED. Default: `engine`, which reads everything without waiting for anybody.
 */
export type ReadPace = 'engine' | 'reader';

export interface Snapshot {
  /** The snapshot is true at exactly this position. */
  readonly position: Position;
  readonly timestamp: number;
  /** It was read elsewhere and is true at no exact position: for one reader only. Default: false. */
  readonly external?: boolean;
  /** Chunks of items in order of creation. May be iterated once. Between chunks the event loop may run. */
  chunks(): AsyncIterable<readonly StoredItem[]>;
  close(): void;
}

export type Changes =
  /** `backend`: it is kept elsewhere, by somebody who can't tell. */
  | { readonly kind: 'stale'; readonly reason: 'epoch' | 'floor' | 'backend' }
  | {
      readonly kind: 'changes';
      readonly position: Position;
      readonly timestamp: number;
      chunks(): AsyncIterable<readonly ChangeEntry[]>;
      close(): void;
    };

export type ChangeEntry =
  | ({ readonly kind: 'item' } & StoredItem)
  | {
      readonly kind: 'tombstone';
      readonly item: string;
      /** Offset of the delete. */
      readonly changed: number;
      readonly created: number;
      /** The `id` member of the deleted value as JSON text; `undefined` when it had none. Existing clients drop the item by it. */
      readonly valueId: JsonText | undefined;
    };

export type { Logger } from '../logging/logger.js';
export type { Clock } from '../structures/clock.js';
export type { NamesPage, PageBounds } from '../structures/sorted-names.js';
