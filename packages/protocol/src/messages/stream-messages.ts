import type { JsonText } from '../json/json-text.js';
import type { Since } from '../position.js';

/** The frames that a stream client may send (spec ST §2.3, rules RV-4, RV-14, RV-42 and RV-60 of PROTOCOL.md). */
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
/** A group. */
export interface StreamTarget {
  readonly streamName: string;
  readonly groupId: string;
}

/** A call of a function (rule RV-60). */
export interface StreamCall {
  readonly type: 'call';
  readonly callId: string;
  readonly functionId: string;
  /** The input. `null` if the frame has none. */
  readonly data: unknown;
  /** With a key, the call takes effect at most once (rule RV-63). */
  readonly idempotencyKey: string | undefined;
  /** Milliseconds since the client sent this call for the first time. `undefined` if it sends the call for the first time. */
  readonly repeatedAfterMs: number | undefined;
  /** The groups whose positions the answer has (rule RV-62). */
  readonly confirm: readonly StreamTarget[];
  /** The time that the client waits. The engine may wait for a shorter time. */
  readonly timeoutMs: number | undefined;
  /** Whether the frame has an integer beyond ±(2^53−1) or a number that overflows. A store must refuse such data. */
  readonly inexactNumbers: boolean;
}
export type StreamClientMessage = StreamJoin | StreamLeave | StreamRefresh | StreamLease | StreamCall;

export type StreamEffect = 'create' | 'update' | 'delete';

/** The reason why a client with a position gets a `sync` (rule RV-8). */
export type SyncReason = 'epoch' | 'floor' | 'ahead' | 'malformed' | 'backend' | 'restarted';
