import type { JsonText } from './json-text.js';
import type { StreamEffect } from './stream-messages.js';

/** Frames of the engine to stream clients, as JSON text with exactly the keys of spec ST §2.2. */

/** `id` `undefined` is written as null. */
function head(timestamp: number, streamName: string, groupId: string, id: string | undefined): string {
  const item = id === undefined ? 'null' : JSON.stringify(id);
  return `{"type":"stream","timestamp":${timestamp},"streamName":${JSON.stringify(streamName)},"groupId":${JSON.stringify(groupId)},"id":${item},"event":`;
}

export interface ChangeFrame {
  readonly timestamp: number;
  readonly streamName: string;
  readonly groupId: string;
  readonly id: string | undefined;
  /** Offset of the last change of the batch that this one is of; absent for one that stands alone. */
  readonly through?: number | undefined;
}

function tail({ through }: ChangeFrame): string {
  return through === undefined ? '}' : `,"through":${through}}`;
}

export function encodeChange(frame: ChangeFrame, effect: StreamEffect, data: JsonText): string {
  return `${head(frame.timestamp, frame.streamName, frame.groupId, frame.id)}{"type":"${effect}","data":${data}}${tail(frame)}`;
}

export function encodeEvent(frame: ChangeFrame, type: string, data: JsonText): string {
  return `${head(frame.timestamp, frame.streamName, frame.groupId, frame.id)}{"type":"event","event":{"type":${JSON.stringify(type)},"data":${data}}}${tail(frame)}`;
}

export function encodeItemSync(frame: ChangeFrame, data: JsonText): string {
  return `${head(frame.timestamp, frame.streamName, frame.groupId, frame.id)}{"type":"sync","data":${data}}}`;
}

/** Everything of a group `sync` before its first value; values follow, separated by commas, then `GROUP_SYNC_TAIL`. */
export function encodeGroupSyncHead(timestamp: number, streamName: string, groupId: string): string {
  return `${head(timestamp, streamName, groupId, undefined)}{"type":"sync","data":[`;
}

export const GROUP_SYNC_TAIL = ']}}';

export function encodeUnauthorized(timestamp: number, streamName: string, groupId: string): string {
  return `${head(timestamp, streamName, groupId, undefined)}{"type":"unauthorized"}}`;
}
