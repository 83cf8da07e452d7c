import type { ErrorBody } from '../errors.js';
import type { JsonText } from '../json/json-text.js';
import type { GroupPosition } from '../messages/stream-frames.js';
import type { StreamEffect, SyncReason } from '../messages/stream-messages.js';

/**
 * This file writes the frames of the engine to stream clients as JSON text. The keys of spec ST §2.2 come first, then those of PROTOCOL.md.
 * Clients that are not position-aware ignore the latter.
 */

/** Returns the beginning of a frame. It writes `null` for an `id` that is `undefined`. */
function head(timestamp: number, streamName: string, groupId: string, id: string | undefined): string {
  const item = id === undefined ? 'null' : JSON.stringify(id);
  return `{"type":"stream","timestamp":${timestamp},"streamName":${JSON.stringify(streamName)},"groupId":${JSON.stringify(groupId)},"id":${item},"event":`;
}

/** The stream, group and item of a frame. */
export interface FrameHead {
  readonly timestamp: number;
  readonly streamName: string;
  readonly groupId: string;
  readonly id: string | undefined;
}

export interface ChangeFrame extends FrameHead {
  readonly offset: number;
  /** The offset at which the item was created. Only compacted changes have it, because otherwise the client knows it. */
  readonly created?: number;
  /** The offset of the last change of the batch. Absent for a change that is not part of a batch. */
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

/** Writes a `sync` of one item. `created` is `undefined` if the item does not exist; then `data` is `null`. */
export function encodeItemSync(frame: SyncFrame, data: JsonText, created: number | undefined): string {
  return `${headOf(frame)}{"type":"sync","data":${data}}${created === undefined ? '' : `,"created":${created}`}${syncTail(frame)}`;
}

/**
 * Writes the text of a group `sync` before its first value. The values follow, separated by commas, and then {@link encodeGroupSyncTail}.
 */
export function encodeGroupSyncHead(timestamp: number, streamName: string, groupId: string): string {
  return `${head(timestamp, streamName, groupId, undefined)}{"type":"sync","data":[`;
}

/** The lists beside the values of a group `sync`, in the same order: JSON strings and numbers, separated by commas. */
export interface SyncColumns {
  readonly ids: string;
  readonly created: string;
}

/** One part of a `sync` that the engine sends in several messages. */
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

/** Writes an `unauthorized`. `id` is the item of the join; `undefined` means the group. */
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

/** The positions that the answer to a call has. `undefined` in the list becomes `null`. */
type CallPositions = readonly (GroupPosition | undefined)[];

/** Writes the result of a call. A `result` that is `undefined` is left out, which clients read as `null`. */
export function encodeCallResult(callId: string, result: JsonText | undefined, positions: CallPositions): string {
  const value = result === undefined ? '' : `,"result":${result}`;
  return `{"type":"result","data":{"callId":${JSON.stringify(callId)}${value}${positionsTail(positions)}}}`;
}

/** Writes the error of a call. `ran`: the function ran, so the code is its own. */
export function encodeCallError(
  callId: string,
  { code, message, error_id: errorId }: ErrorBody,
  positions: CallPositions = [],
  ran?: true,
): string {
  const error = JSON.stringify({ callId, code, message, errorId, ran });
  return `{"type":"call_error","data":${error.slice(0, -1)}${positionsTail(positions)}}}`;
}

function positionsTail(positions: CallPositions): string {
  return positions.length === 0 ? '' : `,"positions":${JSON.stringify(positions)}`;
}
