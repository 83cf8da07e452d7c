import { formatPosition, type Position } from '@rivulet/protocol';

/** A group, or one item of it, that views watch. */
export interface Target {
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
}

/** Returns a text that is the same for the same target. The client finds the subscription of a frame by it. */
export function targetKey({ stream, group, item }: Target): string {
  return JSON.stringify([stream, group, item]);
}

/** Returns the text of a join. `since`: the position from which the client wants to continue. */
export function encodeJoin(subscriptionId: string, target: Target, since: Position | undefined): string {
  return encode('join', subscriptionId, target, { positions: true, since: since === undefined ? undefined : formatPosition(since) });
}

export function encodeLeave(subscriptionId: string, target: Target): string {
  return encode('leave', subscriptionId, target, {});
}

function encode(type: 'join' | 'leave', subscriptionId: string, { stream, group, item }: Target, more: object): string {
  return JSON.stringify({ type, data: { subscriptionId, streamName: stream, groupId: group, id: item, ...more } });
}
