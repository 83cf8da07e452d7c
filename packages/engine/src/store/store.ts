import type { JsonText, Position, StreamEffect } from '@rivulet/protocol';
import type { Logger } from '../logging/logger.js';
import type { Clock } from '../structures/clock.js';
import type { NamesPage, PageBounds } from '../structures/sorted-names.js';
import type { DeleteReason } from './delete-reason.js';

/**
 * The contract between the engine and a store of streams. Three stores of the engine keep it (`memory`, `lmdb`, `redis`), and so do the
 * adapters of users. One suite checks all of them: packages/conformance/src/store-contract.
 *
 * ## What a store keeps
 *
 * A store keeps groups. A group `(stream, group)` is an ordered map of items with one history. Each effect on the group takes the next
 * offset: the creation, the update or the delete of an item, and an event. An epoch (a text) and an offset are a `Position`. The epoch
 * changes when the store lost a part of the history; old positions are useless then.
 *
 * A deleted item leaves a tombstone, so that `changes` can report the delete. The store removes old tombstones. The floor of a group is the
 * lowest offset from which `changes` can still report every delete.
 *
 * ## How data flows
 *
 * ```
 * stream::set ──► apply(change) ──► the store reads the old value, decides the effect, takes an offset and a timestamp
 *                                      │ makes the effect durable
 *                                      ├──► onCommit(commit) ──► the engine sends it to subscribers and triggers
 *                                      └──► apply resolves ──► the caller has its result
 * join ──► watch(ref) ──► snapshot(ref) ──► all items at position p, then every commit after p
 * join with an old position q ──► watch(ref) ──► changes(ref, q) ──► each item that changed after q, then every commit
 * ```
 *
 * ## Invariants
 *
 * 1. `apply` is atomic for its item, `write` for all of its changes. Both resolve when the change is as durable as the store promises.
 * 2. Changes of one group take effect in the order in which `apply` and `write` were called.
 * 3. `onCommit` gets the commits of one group in the order of their offsets, each once, before the `apply` that caused it resolves.
 * 4. Nothing can be read, and nothing reaches `onCommit`, before it is durable.
 * 5. From `start` to `close`, each effect adds exactly 1 to the offset of its group. A restart may jump ahead. In one epoch, no offset is
 *    ever used twice.
 * 6. The timestamps of a group grow strictly: `max(now, last + 1)`, across restarts too.
 * 7. A write that fails leaves no trace: it takes no offset, no read shows it, and the writes behind it succeed or fail on their own.
 *
 * ## What breaks otherwise
 *
 * - `apply` resolves before `onCommit`: a program that writes and then looks at its own view of the group misses its own write.
 * - `onCommit` runs before the change is durable: after a crash, subscribers show a value that the store does not have. Nobody corrects it,
 *   because the next effect takes the same offset.
 * - An offset is used twice, or skipped within a run: a client that resumes takes one change for another, or waits forever.
 * - `snapshot` before `watch` resolves: commits between the two are in neither, and the subscriber misses them.
 *
 * ## Example
 *
 * ```ts
 * const commits: Commit[] = [];
 * await store.start({ onCommit: (commit) => commits.push(commit), onBreak() {} });
 * const result = await store.apply({ kind: 'set', stream: 'chat', group: 'room-1', item: 'm1', data: '{"text":"hi"}' });
 * // result: { kind: 'applied', old: undefined, new: '{"text":"hi"}', position: { epoch: '…', offset: 1 } }
 * // commits: one commit with effect 'create', the same position, and through undefined
 * ```
 *
 * ## Errors
 *
 * Failures are thrown as `RivuletError`:
 *
 * - STORE_UNAVAILABLE: the store is closed, read-only or without its backend. Nothing was written, unless the backend failed in the middle.
 * - STORE_FULL, GROUP_FULL: the disk or the memory of the backend is nearly full, or the group has reached a bound.
 * - OVERLOADED: too many writes or reads wait, or a reader was too slow.
 * - CORRUPT_ITEM: a stored record is damaged. Other items stay readable.
 * - VALUE_TOO_LARGE, INVALID_ID, INVALID_ARGUMENTS: the caller must change its request.
 */
export interface StreamStore {
  /** Opens the store. The engine calls it once, before any other method except `close`. */
  start(events: StoreEvents): Promise<void>;
  /**
   * Executes one change. `origin` names the session that wants it; `undefined` is the engine itself. A store may let origins take turns.
   * Then a session with many expensive changes delays others little. Changes of one session, and of one group, keep their order.
   */
  apply(change: Change, origin?: string): Promise<ApplyResult>;
  /**
   * Executes changes of one group as one step, in line with the changes of `apply`: either all of them, at consecutive offsets, or none.
   * Conditions are decided in the same step, and the result is remembered under a key if the write has one. The commits reach `onCommit`
   * in one synchronous run. Optional: without it, the engine refuses requests that need it with INVALID_ARGUMENTS.
   */
  write?(write: Write, origin?: string): Promise<WriteResult>;
  /** Reads one item. */
  get(ref: GroupRef, item: string): Promise<ItemRead>;
  /** Reads all items in the order of their creation, as they are at one moment. The caller must `close` the snapshot. */
  snapshot(ref: GroupRef, pace?: ReadPace): Promise<Snapshot>;
  /**
   * Reads the items that were created after this one, as `snapshot` does. Resolves with `undefined` when the item does not exist. Optional:
   * without it, the engine reads a whole snapshot and skips its beginning.
   */
  snapshotAfter?(ref: GroupRef, item: string): Promise<Snapshot | undefined>;
  /**
   * Reads each item that changed after `since` once, with its newest value, and a tombstone for each deleted item, in the order of their
   * offsets. Resolves with `stale` when `since` is of another epoch or below the floor of tombstones. Then only a snapshot helps.
   */
  changes(ref: GroupRef, since: Position, pace?: ReadPace): Promise<Changes>;
  /** Returns the groups of a stream that have an item, sorted by UTF-16 code units. */
  groups(stream: string): Promise<readonly string[]>;
  /** Returns the streams that have such a group, sorted in the same way. */
  streams(): Promise<readonly string[]>;
  /**
   * Returns a page of `groups`, in the same order. A group that has items all the time is in one of the pages that follow each other.
   * Optional: without it, the engine reads all of `groups` and takes the page from them.
   */
  groupsPage?(stream: string, bounds: PageBounds): Promise<NamesPage>;
  /** Returns a page of `streams`. Optional, as `groupsPage` is. */
  streamsPage?(bounds: PageBounds): Promise<NamesPage>;
  /**
   * Resolves when every later commit of the group reaches `onCommit`, whichever process has written it. Commits of this process always
   * reach it. The store counts the calls: a group stays watched until `unwatch` was called as often.
   */
  watch(ref: GroupRef): Promise<void>;
  unwatch(ref: GroupRef): void;
  /**
   * Asks for the commits of a stream (`undefined`: of all streams), whichever process has written them, for triggers. From the moment it
   * takes effect, commits of one group reach `onCommit` in order and once. Commits may be missed while the backend is unavailable. The
   * store counts the calls. Optional: a store that only one process writes to does not need it.
   */
  follow?(stream: string | undefined): void;
  unfollow?(stream: string | undefined): void;
  /**
   * Waits for queued writes, makes them durable and releases everything. Later calls of other methods fail with STORE_UNAVAILABLE. The
   * engine also calls it, at most once more, when `start` failed or never ran.
   */
  close(): Promise<void>;
}

/** A store that has the optional method `write`. */
export type WritableStore = StreamStore & Required<Pick<StreamStore, 'write'>>;

/**
 * The function that the file of an adapter exports as `createStore`. It returns a store that is not started yet. The engine calls it once
 * for each entry of the configuration that names the file. When the function fails, the engine does not start.
 */
export type StoreFactory = (options: StoreFactoryOptions) => StreamStore | Promise<StreamStore>;

export interface StoreFactoryOptions {
  /** The content of `adapter.config` in the configuration. The engine does not check it. @default {} */
  readonly config: Readonly<Record<string, unknown>>;
  /** The source of timestamps. */
  readonly clock: Clock;
  /** Writes to the log of the engine. */
  readonly logger: Logger;
  /** How long `changes` must still report a delete, in milliseconds. */
  readonly tombstoneRetentionMs: number;
}

export interface GroupRef {
  readonly stream: string;
  readonly group: string;
}

/** The callbacks of the engine. They must not throw; a store logs an error and goes on. */
export interface StoreEvents {
  /** Gets each commit once, see the invariants 3 and 4. */
  onCommit(commit: Commit): void;
  /**
   * Reports that the history of a watched group broke: its epoch changed (`epoch`), or the store missed commits (`gap`). `position` is the
   * position of the group after the break. The engine sends a new snapshot to the subscribers.
   */
  onBreak(ref: GroupRef, reason: 'gap' | 'epoch', position: Position): void;
  /**
   * For stores that can lose the connection to their backend. `available: false` says that the watched group can be neither read nor
   * written and that commits of other processes do not arrive. `available: true` follows when all missed commits were reported, or
   * `onBreak` was called. A group gets these calls only between a `watch` that resolved and its `unwatch`. `ref` is `undefined` for the
   * store as a whole; that call comes before the calls for its groups.
   */
  onAvailability?(ref: GroupRef | undefined, available: boolean): void;
  /** @deprecated Use `onAvailability`. */
  onReach?(ref: GroupRef | undefined, reachable: boolean): void;
  /**
   * Reports that other processes considered this one dead and released the items that it had leased (`Expiry` of kind `held`). The engine
   * leases them again where it still needs them.
   */
  onReleased?(): void;
  /**
   * Reports that another process owns the data of the store from now on. The store neither reads nor writes any more, so the engine should
   * end. A call of `onAvailability` for the whole store comes before.
   */
  onLost?(): void;
}

/** A change of one group. An event without `item` concerns the whole group. */
export type Change =
  | { readonly kind: 'set'; readonly stream: string; readonly group: string; readonly item: string; readonly data: JsonText }
  | {
      readonly kind: 'update';
      readonly stream: string;
      readonly group: string;
      readonly item: string;
      /** Pure; may run more than once. Returns the new value, or `undefined` to leave the item as it is. */
      readonly compute: (old: JsonText | undefined) => JsonText | undefined;
      /**
       * Pure. Throws when `compute` would throw for every old value of this many UTF-8 bytes. A store may call it before it reads a large
       * value; a store that does not call it loses only time.
       */
      readonly requireSize?: ((oldBytes: number) => void) | undefined;
    }
  | { readonly kind: 'delete'; readonly stream: string; readonly group: string; readonly item: string; readonly by?: DeleteReason }
  /** The event takes an offset and is published. The store does not keep it. */
  | {
      readonly kind: 'event';
      readonly stream: string;
      readonly group: string;
      readonly item: string | undefined;
      readonly type: string;
      readonly data: JsonText;
    }
  /** A change that another backend has stored already. It takes an offset and is published. The store does not keep it. */
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
      /**
       * The value before. `undefined` when the item did not exist, and for events and external changes. A stored `null` is the text `null`.
       */
      readonly old: JsonText | undefined;
      /** The value after; `undefined` after a delete. */
      readonly new: JsonText | undefined;
      readonly position: Position;
    }
  /** The delete found no item, or the update left the item as it was. It took no offset and has no commit. */
  | { readonly kind: 'unchanged'; readonly old: JsonText | undefined };

/** A change without the names of its stream and group. */
export type WithoutGroup<C> = C extends unknown ? Omit<C, keyof GroupRef> : never;

/** @deprecated Use `WithoutGroup`. */
export type Unplaced<C> = WithoutGroup<C>;

/** A condition on an item. It must hold when the change takes effect; otherwise the write is a conflict. */
export type Condition =
  /** The last change of the item has exactly this position, written as text. Any other text never holds. */
  { readonly kind: 'version'; readonly version: string } | { readonly kind: 'absent' };

/** How long an item lives. After this time the store deletes the item with a commit, at most a second late, in the order of the times. */
export type Expiry =
  /** Milliseconds from this change on. Jumps of the wall clock do not count, except across a restart of the store. */
  | { readonly kind: 'ttl'; readonly ms: number }
  /** The item is leased: it lives while this run of the store lasts, and `graceMs` milliseconds after the next start. */
  | { readonly kind: 'held'; readonly graceMs: number };

/**
 * One change of a `write`. A `set` without `expiry` makes the item permanent. An `update` without `expiry` leaves the time as it is. An
 * `update` with `expiry` renews the time, even when it leaves the value as it is.
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
 * (`Expiry` of kind `held`) by another process (`elsewhere`), or by any process, this one included (`anywhere`). Allowed only when the
 * write has one change; `anywhere` only after `onReleased`.
 */
export type UnlessLeased = 'elsewhere' | 'anywhere';

/** @deprecated Use `UnlessLeased`. */
export type UnlessHeld = UnlessLeased;

export interface Write extends GroupRef {
  readonly kind: 'write';
  /** At least one change. A change sees the effects of the changes before it. An event must be the only change. */
  readonly changes: readonly WriteChange[];
  /** Subscribers apply the commits in one step; each commit has `through`. */
  readonly batch: boolean;
  readonly once?: Once | undefined;
}

/**
 * Makes a write take effect once for each key and group. A second write with the same key writes nothing and returns the answer of the
 * first one. The store remembers the answer in the same step as the write, for `retentionMs` milliseconds. It does not remember failures.
 */
export interface Once {
  readonly key: string;
  readonly retentionMs: number;
  /** Identifies the content of the write. The same key with another fingerprint fails with INVALID_ARGUMENTS. */
  readonly fingerprint: string;
  /** Returns the answer to remember. Pure; may run more than once. */
  readonly answer: (result: Exclude<WriteResult, { readonly kind: 'replayed' }>) => string;
}

export type WriteResult =
  /** All changes took effect; one result for each of them. */
  | { readonly kind: 'written'; readonly results: readonly ChangeResult[] }
  /** The condition of the change at `index` did not hold, so nothing was written. `value` and `version` are those of its item. */
  | { readonly kind: 'conflict'; readonly index: number; readonly value: JsonText | undefined; readonly version: Position | undefined }
  /** The key was used before; `answer` is the remembered one. */
  | { readonly kind: 'replayed'; readonly answer: string };

/** The result of one change. `version` is the position of the last change of the item; `undefined` when the item does not exist. */
export type ChangeResult =
  | Extract<ApplyResult, { kind: 'applied' }>
  | { readonly kind: 'unchanged'; readonly old: JsonText | undefined; readonly version: Position | undefined };

/** One durable effect on a group. */
export interface Commit {
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
  readonly effect: StreamEffect | 'event';
  readonly position: Position;
  /** Unix milliseconds; they grow strictly within a group. */
  readonly timestamp: number;
  /** The offset at which the item was created; 0 for events and external changes. */
  readonly created: number;
  /** The new value; for a delete the old value, for an event its payload. */
  readonly data: JsonText;
  /** The value before; `undefined` when the item did not exist, and for events and external changes. */
  readonly old: JsonText | undefined;
  /** The type of an event; `undefined` otherwise. */
  readonly eventType: string | undefined;
  /** The offset of the last commit of the same batch; absent when the commit belongs to no batch. */
  readonly through?: number | undefined;
  /** Why an item was deleted that no call deleted. The commit of a delete with `by` has that reason. @default a call */
  readonly deletedBy?: DeleteReason | undefined;
}

export interface ItemRead {
  /** `undefined` when the item does not exist. */
  readonly value: StoredItem | undefined;
  /** The position of the group when the item was read. */
  readonly position: Position;
  /** The timestamp of that position; for a group without history, the current time − 1. */
  readonly timestamp: number;
}

export interface StoredItem {
  readonly item: string;
  readonly data: JsonText;
  /** The offset of the creation; it orders the items of a group. */
  readonly created: number;
  /** The offset of the last change. */
  readonly changed: number;
}

/**
 * The pace of a read. `engine` reads everything without a wait for any peer. `reader` is a peer that may stall, so the store
 * may end the read early with OVERLOADED.
 *
 * @default 'engine'
 */
export type ReadPace = 'engine' | 'reader';

export interface Snapshot {
  /** The items are those of exactly this position. */
  readonly position: Position;
  readonly timestamp: number;
  /** The items come from a backend without positions, so `position` is not exact, and only one reader may use them. @default false */
  readonly external?: boolean;
  /** Returns chunks of items in the order of creation. Iterate it once. The event loop may turn between two chunks. */
  chunks(): AsyncIterable<readonly StoredItem[]>;
  close(): void;
}

export type Changes =
  /** Only a snapshot helps. `backend`: a backend without positions keeps the group. */
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
      /** The offset of the delete. */
      readonly changed: number;
      readonly created: number;
      /** The member `id` of the deleted value, as JSON text; `undefined` without one. Existing clients find the deleted item by it. */
      readonly valueId: JsonText | undefined;
    };

export type { Logger } from '../logging/logger.js';
export type { Clock } from '../structures/clock.js';
export type { NamesPage, PageBounds } from '../structures/sorted-names.js';
export type { BoundsOf, GroupBounds } from './bounds.js';
export type { DeleteReason } from './delete-reason.js';
