import type { StreamEffect } from './stream-messages.js';

/** Frames that an engine sends to a stream client. Members marked with positions are absent in the frames of servers that have none. */
export type StreamServerMessage =
  | StreamChangeFrame
  | StreamEventFrame
  | GroupSyncFrame
  | ItemSyncFrame
  | StreamUnauthorizedFrame
  | StreamSyncingFrame
  | StreamStaleFrame
  | StreamResumedFrame
  | StreamCaughtUpFrame
  | StreamGapFrame
  | StreamErrorFrame
  | { readonly type: 'refreshed'; readonly expiresAtMs: number | undefined }
  | { readonly type: 'expiring'; readonly expiresAtMs: number };

export interface StreamTarget {
  readonly streamName: string;
  readonly groupId: string;
}

export interface StreamChangeFrame extends StreamTarget {
  readonly type: StreamEffect;
  readonly itemId: string;
  /** The new value; of a delete the old one, or what is known of it. */
  readonly data: unknown;
  /** Positions (RV-1). */
  readonly offset: number | undefined;
  /** Offset of the item's creation; only while catching up with `changes` (RV-7). */
  readonly created: number | undefined;
  /** Last offset of the batch that this change is part of (RV-33). */
  readonly through: number | undefined;
}

/** `stream::send`. */
export interface StreamEventFrame extends StreamTarget {
  readonly type: 'event';
  readonly itemId: string | undefined;
  readonly name: string;
  readonly data: unknown;
  readonly offset: number | undefined;
}

export interface SyncPosition {
  readonly epoch: string;
  readonly offset: number;
}

/** Items of a group in the order of creation: all of them, or one part (RV-11). `ids` and `created` are as long as `data`. */
export interface GroupSyncFrame extends StreamTarget {
  readonly type: 'group_sync';
  readonly data: readonly unknown[];
  readonly ids: readonly string[] | undefined;
  readonly created: readonly number[] | undefined;
  readonly position: SyncPosition | undefined;
  readonly part: number | undefined;
  readonly last: boolean;
  /** Why a `since` was not continued from (RV-8). */
  readonly reason: string | undefined;
}

export interface ItemSyncFrame extends StreamTarget {
  readonly type: 'item_sync';
  readonly itemId: string;
  /** `null` when there is no such item, or when its value is null: `created` tells them apart, with positions. */
  readonly data: unknown;
  readonly created: number | undefined;
  readonly position: SyncPosition | undefined;
  readonly reason: string | undefined;
}

export interface StreamUnauthorizedFrame extends StreamTarget {
  readonly type: 'unauthorized';
}

/** The next `sync` of what that subscription watches is for it (RV-16). */
export interface StreamSyncingFrame {
  readonly type: 'syncing';
  readonly subscriptionId: string;
}

/** What that subscription shows may be out of date, until `caught_up` or a `sync` (RV-17). */
export interface StreamStaleFrame {
  readonly type: 'stale';
  readonly subscriptionId: string;
}

/** Offsets in (`from`, `to`] follow (RV-5). */
export interface StreamResumedFrame {
  readonly type: 'resumed';
  readonly subscriptionId: string;
  readonly mode: 'tail' | 'changes';
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
}

export interface StreamCaughtUpFrame {
  readonly type: 'caught_up';
  readonly subscriptionId: string;
  readonly epoch: string;
  readonly offset: number;
}

/** Events in (`after`, `through`] are gone, or may be (RV-9). */
export interface StreamGapFrame {
  readonly type: 'gap';
  readonly subscriptionId: string;
  readonly after: number;
  readonly through: number;
  readonly count: number | undefined;
}

export interface StreamErrorFrame {
  readonly type: 'error';
  readonly subscriptionId: string | undefined;
  readonly code: string;
  readonly message: string;
}
