import type { FlushRing } from './flush-ring.js';

/** The name of a group. */
export interface GroupName {
  readonly stream: string;
  readonly group: string;
}

/** One join of a session, as an explanation sees it. */
export interface JoinView extends GroupName {
  readonly subscriptionId: string;
  /** `undefined` for the whole group. */
  readonly item: string | undefined;
  /** Whether the join was answered. */
  readonly active: boolean;
  /** Offset that the answer of the join showed; -1 before the answer. Changes up to it were no frames of their own. */
  readonly from: number;
  /** Offset of the position that the client had and that the answer went on from; -1 for none. */
  readonly since: number;
}

/** The cursor of a session into one group. */
export interface CursorView {
  readonly state: 'live' | 'catching_up' | 'closed';
  /** Offset up to which changes were handed to the socket; -1 when a `sync` is owed. */
  readonly through: number;
  /** Offset from which on the session has shared the flushes of its group; -1 when it has not yet. */
  readonly liveFrom: number;
  /** Offset at which the last catch-up began; -1 when it began without anything. */
  readonly lagFrom: number;
  /** Last offset to which a resync led; -1 without one. */
  readonly resyncedThrough: number;
  /** Number of resyncs. */
  readonly resyncs: number;
  /** Whether the socket takes more. */
  readonly isReady: boolean;
  readonly joins: readonly Pick<JoinView, 'item' | 'active' | 'from' | 'since'>[];
}

/** A connected stream client. */
export interface SessionView {
  readonly number: number;
  readonly sessionId: string;
  readonly identity: string | undefined;
  readonly unsentBytes: number;
  readonly joins: Iterable<JoinView>;
  cursorOf(ref: GroupName): CursorView | undefined;
  /** Returns whether a join of the group waits for its functions, and how many joins of all groups were refused. */
  unjoined(ref: GroupName): { readonly isWaiting: boolean; readonly refused: number };
}

/** A change that is in the log of its group. */
export interface LoggedChange {
  readonly offset: number;
  readonly item: string | undefined;
  /** Monotonic milliseconds of its arrival at the log. */
  readonly time: number;
}

/** A group with a log. */
export interface GroupView {
  readonly epoch: string | undefined;
  /** Offset of the newest change. */
  readonly head: number;
  readonly flushes: FlushRing | undefined;
  logged(offset: number): LoggedChange | undefined;
  newestOf(item: string): LoggedChange | undefined;
}

/** Where the newest change of an item stands in the store. */
export type StoredChange =
  | { readonly kind: 'present' | 'deleted'; readonly offset: number; readonly epoch: string }
  /** The store has no trace of the item, and would have one. */
  | { readonly kind: 'never'; readonly epoch: string }
  /** The store may have had the item. It has forgotten the traces, or they are too many to read. */
  | { readonly kind: 'unknown'; readonly epoch: string | undefined };

/** The parts of an engine that an explanation reads. */
export interface StreamsView {
  sessionById(id: string): SessionView | undefined;
  /** Returns at most `limit` sessions of an identity. */
  sessionsOf(identity: string, limit: number): { readonly sessions: readonly SessionView[]; readonly more: boolean };
  /** Returns the group if it has a log. */
  group(ref: GroupName): GroupView | undefined;
  /** Returns for how many milliseconds the group, or the whole store, has been unavailable; `undefined` while it is available. */
  unavailableMs(ref: GroupName): number | undefined;
  /** Whether the engine's own store keeps the items of a stream. Otherwise a worker does, and the stream has no positions. */
  hasPositions(stream: string): boolean;
  /** Returns the newest offset of the group. Rejects when the store fails. */
  head(ref: GroupName): Promise<number>;
  /** Returns the newest stored change of an item. Rejects when the store fails. */
  newestOf(ref: GroupName, item: string): Promise<StoredChange>;
  /** Returns the item of the change at `offset`; `undefined` when the store does not know it any more. Rejects when the store fails. */
  itemAt(ref: GroupName, offset: number): Promise<string | undefined>;
  /** Returns some names of groups of the stream. Rejects when the store fails. */
  groupNames(stream: string): Promise<readonly string[]>;
}
