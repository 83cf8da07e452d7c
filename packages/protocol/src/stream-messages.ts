import type { Since } from './position.js';

/** Frames that a stream client may send (spec ST §2.3, rules RV-4 and RV-14 of PROTOCOL.md). */
export interface StreamJoin {
  readonly type: 'join';
  readonly subscriptionId: string;
  readonly streamName: string;
  readonly groupId: string;
  /** `undefined`: the whole group. The empty string on the wire means that too. */
  readonly itemId: string | undefined;
  /** Whether the client knows positions: it may get control frames, and a large `sync` in parts. A `since` says so too. */
  readonly positions: boolean;
  readonly since: Since | undefined;
}
export interface StreamLeave {
  readonly type: 'leave';
  readonly subscriptionId: string;
}
export interface StreamRefresh {
  readonly type: 'refresh';
  readonly token: string;
}
export type StreamClientMessage = StreamJoin | StreamLeave | StreamRefresh;

export type StreamEffect = 'create' | 'update' | 'delete';

/** Why a `sync` comes where the client had a position (rule RV-8). */
export type SyncReason = 'epoch' | 'floor' | 'ahead' | 'malformed' | 'backend' | 'restarted';
