import { formatPosition, type Position } from '@rivulet/protocol';

/** What is watched: a group, or one item of it. */
export interface Target {
  readonly stream: string;
  readonly group: string;
  readonly item: string | undefined;
}

/** Frames of a target that has another key are none of its business. */
export function targetKey({ stream, group, item }: Target): string {
  return JSON.stringify([stream, group, item]);
}

export function encodeJoin(subscriptionId: string, { stream, group, item }: Target, since: Position | undefined): string {
  const data = {
    subscriptionId,
    streamName: stream,
    groupId: group,
    id: item,
    positions: true,
    since: since === undefined ? undefined : formatPosition(since),
  };
  return JSON.stringify({ type: 'join', data });
}

export function encodeLeave(subscriptionId: string, { stream, group, item }: Target): string {
  return JSON.stringify({ type: 'leave', data: { subscriptionId, streamName: stream, groupId: group, id: item } });
}
