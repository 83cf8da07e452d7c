/** Frames that a stream client may send (spec ST §2.3). */
export interface StreamJoin {
  readonly type: 'join';
  readonly subscriptionId: string;
  readonly streamName: string;
  readonly groupId: string;
  /** `undefined`: the whole group. The empty string on the wire means that too. */
  readonly itemId: string | undefined;
}
export interface StreamLeave {
  readonly type: 'leave';
  readonly subscriptionId: string;
}
export type StreamClientMessage = StreamJoin | StreamLeave;

export type StreamEffect = 'create' | 'update' | 'delete';
