import { parseJson } from '../json/guards.js';
import { field, isJsonObject, isRegistryId, type JsonObject, optionalField, stringField } from '../json/json-fields.js';
import { exceedsDepth } from '../json/json-scan.js';
import type { GroupPosition, StreamServerMessage, SyncPosition } from '../messages/stream-frames.js';
import { CALL_CONFIRMS, ID_BYTES, JSON_DEPTH, SERVER_FRAME_CHARS } from '../shared-limits.js';

export type DecodedStreamFrame =
  | { readonly kind: 'message'; readonly message: StreamServerMessage }
  /** A valid frame of a kind that this version does not know. */
  | { readonly kind: 'ignored'; readonly type: string }
  /** Not a frame of the protocol. `reason` contains no text of the frame. */
  | { readonly kind: 'invalid'; readonly reason: string };

/** The deepest nesting: a value as deep as a message of a worker may be, inside a frame. */
const MOST_DEPTH = JSON_DEPTH + 4;

/** The most UTF-16 code units of an unknown type or an error code that the result repeats. */
const MOST_TYPE = 64;

/**
 * Decodes one text frame of an engine for a stream client. Returns a result for any string, and never throws. `mostChars`: the longest
 * frame.
 */
export function decodeStreamFrame(text: string, mostChars: number = SERVER_FRAME_CHARS): DecodedStreamFrame {
  if (text.length > mostChars) return invalid('too large');
  if (exceedsDepth(text, MOST_DEPTH)) return invalid('nested too deep');
  const frame = parseJson(text);
  if (frame === undefined) return invalid('not JSON');
  if (!isJsonObject(frame)) return invalid('not a JSON object');
  const type = stringField(frame, 'type');
  const message = type === 'stream' ? readStream(frame) : readControl(type ?? '', frame);
  if (message === 'unknown') return { kind: 'ignored', type: type?.slice(0, MOST_TYPE) ?? '' };
  return message === undefined ? invalid('a member is missing or has the wrong shape') : { kind: 'message', message };
}

function readControl(type: string, frame: JsonObject): StreamServerMessage | 'unknown' | undefined {
  const given = field(frame, 'data');
  // Without data each known type lacks a member, and an unknown type stays unknown.
  const data = isJsonObject(given) ? given : {};
  const subscriptionId = stringField(data, 'subscriptionId');
  const named = subscriptionId !== undefined && isRegistryId(subscriptionId);
  const epoch = readEpoch(data);
  switch (type) {
    case 'syncing':
    case 'stale':
      return named ? { type, subscriptionId } : undefined;
    case 'resumed': {
      const mode = stringField(data, 'mode');
      const from = offsetField(data, 'from');
      const to = offsetField(data, 'to');
      if (!named || epoch === undefined || from === undefined || to === undefined || to < from) return undefined;
      return mode === 'tail' || mode === 'changes' ? { type, subscriptionId, mode, epoch, from, to } : undefined;
    }
    case 'caught_up': {
      const offset = offsetField(data, 'offset');
      return named && epoch !== undefined && offset !== undefined ? { type, subscriptionId, epoch, offset } : undefined;
    }
    case 'gap': {
      const after = offsetField(data, 'after');
      const through = offsetField(data, 'through');
      if (!named || after === undefined || through === undefined || through < after) return undefined;
      return { type, subscriptionId, after, through, count: offsetField(data, 'count') };
    }
    case 'error': {
      const error = readError(data);
      return error === undefined ? undefined : { type, subscriptionId: named ? subscriptionId : undefined, ...error };
    }
    case 'result':
    case 'call_error': {
      const callId = idField(data, 'callId');
      if (callId === undefined) return undefined;
      const positions = readPositions(field(data, 'positions'));
      if (type === 'result') return { type, callId, result: field(data, 'result') ?? null, positions };
      const error = readError(data);
      if (error === undefined) return undefined;
      return { type, callId, ...error, errorId: stringField(data, 'errorId'), ran: field(data, 'ran') === true || undefined, positions };
    }
    case 'refreshed':
      return data === given ? { type, expiresAtMs: offsetField(data, 'expiresAtMs') } : undefined;
    case 'expiring': {
      const expiresAtMs = offsetField(data, 'expiresAtMs');
      return expiresAtMs === undefined ? undefined : { type, expiresAtMs };
    }
    default:
      return 'unknown';
  }
}

function readError(data: JsonObject): { readonly code: string; readonly message: string } | undefined {
  const code = stringField(data, 'code');
  return code === undefined ? undefined : { code: code.slice(0, MOST_TYPE), message: stringField(data, 'message') ?? '' };
}

/** Reads the positions of a call. An entry that can't be read counts as a position that the engine can't state. */
function readPositions(list: unknown): readonly (GroupPosition | undefined)[] {
  return Array.isArray(list) ? list.slice(0, CALL_CONFIRMS).map(readPosition) : [];
}

function readPosition(entry: unknown): GroupPosition | undefined {
  if (!isJsonObject(entry)) return undefined;
  const streamName = idField(entry, 'streamName');
  const groupId = idField(entry, 'groupId');
  const epoch = readEpoch(entry);
  const offset = offsetField(entry, 'offset');
  if (streamName === undefined || groupId === undefined || epoch === undefined || offset === undefined) return undefined;
  return { streamName, groupId, epoch, offset };
}

function readStream(frame: JsonObject): StreamServerMessage | 'unknown' | undefined {
  const streamName = idField(frame, 'streamName');
  const groupId = idField(frame, 'groupId');
  const event = field(frame, 'event');
  if (streamName === undefined || groupId === undefined || !isJsonObject(event)) return undefined;
  const rawId = optionalField(frame, 'id');
  if (rawId !== undefined && !isId(rawId)) return undefined;
  const itemId = rawId === '' ? undefined : rawId;
  const target = { streamName, groupId };
  const type = stringField(event, 'type');
  const offset = offsetField(frame, 'offset');
  if (offset === undefined && field(frame, 'offset') !== undefined) return undefined;
  switch (type) {
    case 'create':
    case 'update':
    case 'delete': {
      const created = offsetField(frame, 'created');
      const through = offsetField(frame, 'through');
      if (itemId === undefined || !Object.hasOwn(event, 'data') || !inOrder(created, offset) || !inOrder(offset, through)) return undefined;
      return { ...target, type, itemId, data: event.data, offset, created, through };
    }
    case 'event': {
      const custom = field(event, 'event');
      const name = isJsonObject(custom) ? stringField(custom, 'type') : undefined;
      return isJsonObject(custom) && name !== undefined
        ? { ...target, type, itemId, name, data: field(custom, 'data'), offset }
        : undefined;
    }
    case 'sync': {
      const epoch = readEpoch(frame);
      const position = offset === undefined || epoch === undefined ? undefined : { offset, epoch };
      const created = offsetField(frame, 'created');
      const reason = stringField(frame, 'reason');
      if (itemId !== undefined)
        return { ...target, type: 'item_sync', itemId, data: field(event, 'data') ?? null, created, position, reason };
      return readGroupSync(target, frame, field(event, 'data'), position, reason);
    }
    case 'unauthorized':
      return { ...target, type };
    case undefined:
      return undefined;
    default:
      return 'unknown';
  }
}

function readGroupSync(
  target: { readonly streamName: string; readonly groupId: string },
  frame: JsonObject,
  data: unknown,
  position: SyncPosition | undefined,
  reason: string | undefined,
): StreamServerMessage | undefined {
  if (!Array.isArray(data)) return undefined;
  const ids = optionalField(frame, 'ids');
  const created = optionalField(frame, 'created');
  const part = offsetField(frame, 'part');
  if (ids !== undefined && !isListOf(ids, data.length, isId)) return undefined;
  if (created !== undefined && !isListOf(created, data.length, isOffset)) return undefined;
  if (part !== undefined && (position === undefined || ids === undefined || created === undefined)) return undefined;
  const last = part === undefined || field(frame, 'last') === true;
  return { ...target, type: 'group_sync', data, ids, created, position, part, last, reason };
}

function isListOf<T>(list: unknown, length: number, holds: (value: unknown) => value is T): list is T[] {
  return Array.isArray(list) && list.length === length && list.every(holds);
}

/** Returns whether `first` is at or before `then`. The order holds if either is absent. */
function inOrder(first: number | undefined, then: number | undefined): boolean {
  return first === undefined || then === undefined || first <= then;
}

/** Returns whether a value is an offset of a group: a whole number from 0 that a double carries exactly. */
export function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && isRegistryId(value);
}

function idField(object: JsonObject, key: string): string | undefined {
  const id = field(object, key);
  return isId(id) ? id : undefined;
}

function offsetField(object: JsonObject, key: string): number | undefined {
  const value = field(object, key);
  return isOffset(value) ? value : undefined;
}

function readEpoch(object: JsonObject): string | undefined {
  const epoch = stringField(object, 'epoch');
  return epoch !== undefined && epoch !== '' && epoch.length <= ID_BYTES ? epoch : undefined;
}

function invalid(reason: string): DecodedStreamFrame {
  return { kind: 'invalid', reason };
}
