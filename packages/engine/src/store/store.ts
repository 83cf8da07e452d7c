import type { JsonText, Position, StreamEffect } from '@rivulet/protocol';
import type { Logger } from '../logging/logger.js';
import type { Clock } from '../structures/clock.js';

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
  apply(change: Change): Promise<ApplyResult>;
  get(ref: GroupRef, item: string): Promise<ItemRead>;
  /** All items in order of creation, from one consistent view. The caller must `close` it. */
  snapshot(ref: GroupRef): Promise<Snapshot>;
  /**
   * Each item changed after `since` once, with its newest value, and a tombstone for each deleted one, in offset order.
   * `stale` when `since` is of another epoch or below the tombstone floor: only a snapshot helps then.
   */
  changes(ref: GroupRef, since: Position): Promise<Changes>;
  /** Groups of a stream that hold at least one item, sorted by UTF-16 code units. */
  groups(stream: string): Promise<readonly string[]>;
  /** Streams that hold at least one item, sorted. */
  streams(): Promise<readonly string[]>;
  /** After it resolves, every later commit of the group reaches `onCommit`, whoever wrote it. Local commits always do. Calls are counted. */
  watch(ref: GroupRef): Promise<void>;
  unwatch(ref: GroupRef): void;
  /**
   * Waits for queued writes, makes them durable, releases everything. Later calls fail with STORE_UNAVAILABLE. Also called, at most once
   * more, when `start` failed or never ran.
   */
  close(): Promise<void>;
}

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
