import type { JsonText } from '../json/json-text.js';
import type { Since } from '../position.js';

/** Frames that a stream client may send (spec ST §2.3, rules RV-4, RV-14 and RV-42 of PROTOCOL.md). */
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
/** New data for the item that the client holds by a join (rule RV-42). */
export interface StreamLease {
  readonly type: 'lease';
  readonly subscriptionId: string;
  readonly data: JsonText;
}
export type StreamClientMessage = StreamJoin | StreamLeave | StreamRefresh | StreamLease;

export type StreamEffect = 'create' | 'update' | 'delete';

/** Why a `sync` comes where the client had a position (rule RV-8). */
export type SyncReason = 'epoch' | 'floor' | 'ahead' | 'malformed' | 'backend' | 'restarted';
