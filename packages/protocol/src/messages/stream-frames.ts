import type { StreamEffect, StreamTarget } from './stream-messages.js';

/**
 * The frames that an engine sends to a stream client. The members about positions are `undefined` in the frames of servers without
 * positions.
 */
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
  | StreamResultFrame
  | StreamCallErrorFrame
  | { readonly type: 'refreshed'; readonly expiresAtMs: number | undefined }
  | { readonly type: 'expiring'; readonly expiresAtMs: number };

export interface StreamChangeFrame extends StreamTarget {
  readonly type: StreamEffect;
  readonly itemId: string;
  /** The new value. For a delete, the old value, or the part of it that the engine knows. */
  readonly data: unknown;
  /** The offset of the change (RV-1). */
  readonly offset: number | undefined;
  /** The offset at which the item was created. Only compacted changes have it (RV-7). */
  readonly created: number | undefined;
  /** The last offset of the batch that this change is part of (RV-33). */
  readonly through: number | undefined;
}

/** An event that a worker sent with `stream::send`. */
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

/** The items of a group in the order of creation: all items, or one part of them (RV-11). `ids` and `created` are as long as `data`. */
export interface GroupSyncFrame extends StreamTarget {
  readonly type: 'group_sync';
  readonly data: readonly unknown[];
  readonly ids: readonly string[] | undefined;
  readonly created: readonly number[] | undefined;
  readonly position: SyncPosition | undefined;
  readonly part: number | undefined;
  readonly last: boolean;
  /** The reason why the engine could not continue from `since` (RV-8). */
  readonly reason: string | undefined;
}

export interface ItemSyncFrame extends StreamTarget {
  readonly type: 'item_sync';
  readonly itemId: string;
  /** `null` if the item does not exist, or if its value is `null`. With positions, only an item that exists has `created`. */
  readonly data: unknown;
  readonly created: number | undefined;
  readonly position: SyncPosition | undefined;
  readonly reason: string | undefined;
}

export interface StreamUnauthorizedFrame extends StreamTarget {
  readonly type: 'unauthorized';
}

/** The next `sync` of the target of this subscription is for it (RV-16). */
export interface StreamSyncingFrame {
  readonly type: 'syncing';
  readonly subscriptionId: string;
}

/** The state of this subscription may be out of date until `caught_up` or a `sync` comes (RV-17). */
export interface StreamStaleFrame {
  readonly type: 'stale';
  readonly subscriptionId: string;
}

/** The frames with offsets above `from` and up to `to` follow (RV-5). */
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

/** Events with offsets above `after` and up to `through` are lost, or may be lost (RV-9). */
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

/** The position of a group after a call (rule RV-62). */
export interface GroupPosition extends StreamTarget, SyncPosition {}

/** The result of a call (rule RV-61). */
export interface StreamResultFrame {
  readonly type: 'result';
  readonly callId: string;
  /** `null` if the function returned nothing. */
  readonly result: unknown;
  /** The positions of the groups of `confirm`, in their order. `undefined` in the list: the engine can't state the position. */
  readonly positions: readonly (GroupPosition | undefined)[];
}

/** The error of a call. The function may have written before it failed, so the frame has positions too. */
export interface StreamCallErrorFrame {
  readonly type: 'call_error';
  readonly callId: string;
  readonly code: string;
  readonly message: string;
  /** The id of the line in the log of the engine, if the message hides the cause. */
  readonly errorId: string | undefined;
  /** Whether the function ran, so that the code is its own. The engine has codes of the same name that mean that it did not run. */
  readonly ran?: true | undefined;
  readonly positions: readonly (GroupPosition | undefined)[];
}
