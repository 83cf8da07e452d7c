import type { JsonText } from '../json/json-text.js';
import type { Since } from '../position.js';

/** The frames that a stream client may send (spec ST §2.3, rules RV-4, RV-14 and RV-42 of PROTOCOL.md). */
export interface StreamJoin {
  readonly type: 'join';
  readonly subscriptionId: string;
  readonly streamName: string;
  readonly groupId: string;
  /** The item. `undefined` means the whole group. An empty string on the wire means the same. */
  readonly itemId: string | undefined;
  /**
   * Whether the client is position-aware. Such a client gets control frames, and a large `sync` in parts. A join with `since` sets it too.
   */
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
/** New data for the item that a join of the client leases (rule RV-42). */
export interface StreamLease {
  readonly type: 'lease';
  readonly subscriptionId: string;
  readonly data: JsonText;
}
export type StreamClientMessage = StreamJoin | StreamLeave | StreamRefresh | StreamLease;

export type StreamEffect = 'create' | 'update' | 'delete';

/** The reason why a client with a position gets a `sync` (rule RV-8). */
export type SyncReason = 'epoch' | 'floor' | 'ahead' | 'malformed' | 'backend' | 'restarted';
