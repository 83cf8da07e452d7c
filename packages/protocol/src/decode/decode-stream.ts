import { parseJson } from '../json/guards.js';
import { excerpt, field, isJsonObject, isRegistryId, type JsonObject, stringField } from '../json/json-fields.js';
import { exceedsKeys, tooManyKeys } from '../json/json-keys.js';
import { scanJson } from '../json/json-scan.js';
import { LIMITS } from '../limits.js';
import type { StreamClientMessage } from '../messages/stream-messages.js';
import { readSince } from '../position.js';
import { readCall, refuseCall, refuseText } from './decode-stream-call.js';
import type { Decoded } from './decoded.js';

/** Decodes one text or binary frame of a stream client. Returns a result for any string, and never throws. */
export function decodeStreamMessage(text: string): Decoded<StreamClientMessage> {
  if (text.trim() === '') return { kind: 'ignored', reason: 'blank' };
  const scan = scanJson(text);
  if (scan.kind === 'refused') return refuseText(text, scan.reason);
  if (exceedsKeys(text, LIMITS.guestKeys)) return refuseText(text, tooManyKeys(LIMITS.guestKeys));
  const frame = parseJson(text);
  if (frame === undefined) return invalid('not JSON');
  if (!isJsonObject(frame)) return invalid('not a JSON object');
  const type = stringField(frame, 'type');
  if (type !== 'join' && type !== 'leave' && type !== 'refresh' && type !== 'lease' && type !== 'call')
    return { kind: 'ignored', reason: 'unknown_type', type: excerpt(type ?? '') };
  const data = field(frame, 'data');
  if (!isJsonObject(data)) return type === 'call' ? refuseCall('data must be an object') : invalid('data must be an object');
  if (type === 'refresh') return readRefresh(data);
  if (type === 'call') return readCall(data, scan.inexactNumbers);
  if (type === 'lease') return scan.inexactNumbers ? invalid('a number is beyond what JSON carries exactly') : readLease(data);
  return readSubscription(type, data);
}

function readSubscription(type: 'join' | 'leave', data: JsonObject): Decoded<StreamClientMessage> {
  const subscriptionId = stringField(data, 'subscriptionId');
  if (subscriptionId === undefined || !isRegistryId(subscriptionId)) return invalid('subscriptionId must be a string within bounds');
  if (type === 'leave') return { kind: 'message', message: { type, subscriptionId } };
  const streamName = stringField(data, 'streamName');
  const groupId = stringField(data, 'groupId');
  const id = field(data, 'id') ?? '';
  if (streamName === undefined || groupId === undefined || typeof id !== 'string')
    return invalid('streamName, groupId and id must be strings');
  const since = readSince(field(data, 'since'));
  const positions = since !== undefined || field(data, 'positions') === true;
  return {
    kind: 'message',
    message: { type, subscriptionId, streamName, groupId, itemId: id === '' ? undefined : id, positions, since },
  };
}

/** Reads the data of a lease. Data that is too large has an error of its own, which the client gets. */
function readLease(data: JsonObject): Decoded<StreamClientMessage> {
  const subscriptionId = stringField(data, 'subscriptionId');
  if (subscriptionId === undefined || !isRegistryId(subscriptionId)) return invalid('subscriptionId must be a string within bounds');
  if (!Object.hasOwn(data, 'data')) return invalid('data must hold the new data');
  return { kind: 'message', message: { type: 'lease', subscriptionId, data: JSON.stringify(field(data, 'data')) } };
}

function readRefresh(data: JsonObject): Decoded<StreamClientMessage> {
  const token = stringField(data, 'token');
  if (token === undefined || token.length > LIMITS.tokenChars) return invalid('token must be a string within bounds');
  return { kind: 'message', message: { type: 'refresh', token } };
}

function invalid(reason: string): Decoded<StreamClientMessage> {
  return { kind: 'invalid', code: 'deserialization_error', reason };
}
