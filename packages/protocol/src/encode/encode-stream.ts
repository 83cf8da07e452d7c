import type { JsonText } from '../json/json-text.js';
import type { StreamEffect, SyncReason } from '../messages/stream-messages.js';

/**
 * Frames of the engine to stream clients, as JSON text: the keys of spec ST §2.2, then those of PROTOCOL.md, which clients that know no
 * positions ignore.
 */

/** `id` `undefined` is written as null. */
function head(timestamp: number, streamName: string, groupId: string, id: string | undefined): string {
  const item = id === undefined ? 'null' : JSON.stringify(id);
  return `{"type":"stream","timestamp":${timestamp},"streamName":${JSON.stringify(streamName)},"groupId":${JSON.stringify(groupId)},"id":${item},"event":`;
}

/** Whose state or change a frame shows. */
export interface FrameHead {
  readonly timestamp: number;
  readonly streamName: string;
  readonly groupId: string;
  readonly id: string | undefined;
}

export interface ChangeFrame extends FrameHead {
  readonly offset: number;
  /** Offset of the creation of the item, in a compacted history only: elsewhere the client knows it. */
  readonly created?: number;
  /** Offset of the last change of the batch that this one is of; absent for one that stands alone. */
  readonly through?: number | undefined;
}

export interface SyncFrame extends FrameHead {
  readonly offset: number;
  readonly epoch: string;
  readonly reason?: SyncReason | undefined;
}

export function encodeChange(frame: ChangeFrame, effect: StreamEffect, data: JsonText): string {
  return `${headOf(frame)}{"type":"${effect}","data":${data}}${changeTail(frame)}`;
}

export function encodeEvent(frame: ChangeFrame, type: string, data: JsonText): string {
  return `${headOf(frame)}{"type":"event","event":{"type":${JSON.stringify(type)},"data":${data}}}${changeTail(frame)}`;
}

/** `created` `undefined`: there is no item, and `data` is `null`. */
export function encodeItemSync(frame: SyncFrame, data: JsonText, created: number | undefined): string {
  return `${headOf(frame)}{"type":"sync","data":${data}}${created === undefined ? '' : `,"created":${created}`}${syncTail(frame)}`;
}

/** Everything of a group `sync` before its first value; values follow, separated by commas, then {@link encodeGroupSyncTail}. */
export function encodeGroupSyncHead(timestamp: number, streamName: string, groupId: string): string {
  return `${head(timestamp, streamName, groupId, undefined)}{"type":"sync","data":[`;
}

/** What stands beside the values of a group `sync`, parallel to them: JSON strings and numbers, separated by commas. */
export interface SyncColumns {
  readonly ids: string;
  readonly created: string;
}

/** A piece of a `sync` that is sent in several messages. */
export interface SyncPart {
  readonly part: number;
  readonly last: boolean;
}

export function encodeGroupSyncTail(
  frame: Pick<SyncFrame, 'offset' | 'epoch' | 'reason'>,
  columns: SyncColumns | undefined,
  part?: SyncPart,
): string {
  const beside = columns === undefined ? '' : `,"ids":[${columns.ids}],"created":[${columns.created}]`;
  const piece = part === undefined ? '' : `,"part":${part.part},"last":${part.last}`;
  return `]}${beside}${piece}${syncTail(frame)}`;
}

/** `id`: the item that the join named; `undefined`: the group. */
export function encodeUnauthorized(timestamp: number, streamName: string, groupId: string, id?: string): string {
  return `${head(timestamp, streamName, groupId, id)}{"type":"unauthorized"}}`;
}

function headOf(frame: FrameHead): string {
  return head(frame.timestamp, frame.streamName, frame.groupId, frame.id);
}

function changeTail({ created, offset, through }: ChangeFrame): string {
  const position = through === undefined ? `,"offset":${offset}}` : `,"offset":${offset},"through":${through}}`;
  return created === undefined ? position : `,"created":${created}${position}`;
}

function syncTail({ offset, epoch, reason }: Pick<SyncFrame, 'offset' | 'epoch' | 'reason'>): string {
  return `,"offset":${offset},"epoch":${JSON.stringify(epoch)}${reason === undefined ? '' : `,"reason":"${reason}"`}}`;
}
