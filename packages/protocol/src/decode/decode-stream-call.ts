import { field, isJsonObject, isRegistryId, type JsonObject, optionalField, stringField, utf8Length } from '../json/json-fields.js';
import { LIMITS } from '../limits.js';
import type { StreamClientMessage, StreamTarget } from '../messages/stream-messages.js';
import type { Decoded } from './decoded.js';
import { readFrameHead } from './frame-head.js';

const TYPE: ReadonlySet<string> = new Set(['type']);
const CALL_ID: ReadonlySet<string> = new Set(['callId']);

/** Reads the data of a `call` (rule RV-60). A refusal has the id of the call, so that the client gets an answer. */
export function readCall(data: JsonObject, inexactNumbers: boolean): Decoded<StreamClientMessage> {
  const callId = stringField(data, 'callId');
  if (callId === undefined || !isShort(callId)) return refuseCall(`callId must be a string of 1 to ${LIMITS.idBytes} bytes`);
  const refuse = (reason: string) => refuseCall(reason, callId);
  const functionId = stringField(data, 'functionId');
  if (functionId === undefined || functionId === '' || !isRegistryId(functionId))
    return refuse('functionId must be a string within bounds');
  const key = optionalField(data, 'idempotencyKey');
  if (key !== undefined && (typeof key !== 'string' || !isShort(key)))
    return refuse(`idempotencyKey must be a string of 1 to ${LIMITS.idBytes} bytes`);
  const repeatedAfterMs = optionalField(data, 'repeatedAfterMs');
  if (repeatedAfterMs !== undefined && !isMilliseconds(repeatedAfterMs, 0)) return refuse('repeatedAfterMs must be a whole number from 0');
  const timeoutMs = optionalField(data, 'timeoutMs');
  if (timeoutMs !== undefined && !isMilliseconds(timeoutMs, 1)) return refuse('timeoutMs must be a whole number from 1');
  const confirm = readConfirm(optionalField(data, 'confirm') ?? []);
  if (confirm === undefined) return refuse(`confirm must be a list of at most ${LIMITS.callConfirms} groups with streamName and groupId`);
  const call = { functionId, data: field(data, 'data') ?? null, idempotencyKey: key, repeatedAfterMs, confirm, timeoutMs, inexactNumbers };
  return { kind: 'message', message: { type: 'call', callId, ...call } };
}

/** Refuses a text before it is parsed, because it is too deep or has too many values. A refused call gets an answer. */
export function refuseText(text: string, reason: string): Decoded<StreamClientMessage> {
  if (stringField(readFrameHead(text, TYPE), 'type') !== 'call') return { kind: 'invalid', code: 'deserialization_error', reason };
  const callId = stringField(readFrameHead(text, CALL_ID, 2), 'callId');
  return refuseCall(reason, callId !== undefined && isShort(callId) ? callId : undefined);
}

/** Refuses a `call`. `callId` is `undefined` if it can't be read. */
export function refuseCall(reason: string, callId?: string): Decoded<StreamClientMessage> {
  return { kind: 'invalid', code: 'deserialization_error', reason, call: { callId } };
}

function readConfirm(list: unknown): readonly StreamTarget[] | undefined {
  if (!Array.isArray(list) || list.length > LIMITS.callConfirms) return undefined;
  const groups: StreamTarget[] = [];
  for (const entry of list as readonly unknown[]) {
    const streamName = isJsonObject(entry) ? stringField(entry, 'streamName') : undefined;
    const groupId = isJsonObject(entry) ? stringField(entry, 'groupId') : undefined;
    if (streamName === undefined || groupId === undefined || !isRegistryId(streamName) || !isRegistryId(groupId)) return undefined;
    groups.push({ streamName, groupId });
  }
  return groups;
}

function isShort(text: string): boolean {
  return text !== '' && text.length <= LIMITS.idBytes && utf8Length(text) <= LIMITS.idBytes;
}

function isMilliseconds(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}
