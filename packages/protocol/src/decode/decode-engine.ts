import { parseJson } from '../json/guards.js';
import { excerpt, field, isJsonObject, type JsonObject, optionalField, stringField } from '../json/json-fields.js';
import { exceedsDepth } from '../json/json-scan.js';
import type { EngineMessage } from '../messages/engine-messages.js';
import { JSON_DEPTH } from '../shared-limits.js';
import { decodeErrorBody } from './decode-error-body.js';
import type { Decoded } from './decoded.js';

/**
 * An engine puts values into other values, for instance an item into the event of its change. So its frames may be deeper than those it
 * accepts.
 */
const MOST_LEVELS = JSON_DEPTH * 2;

/**
 * Decodes one text frame of an engine for a worker. Returns a result for any string, and never throws. The number of values is not bounded,
 * because a list may be larger than a message to the engine. The socket bounds the size of a frame.
 */
export function decodeEngineMessage(text: string): Decoded<EngineMessage> {
  if (text.trim() === '') return { kind: 'ignored', reason: 'blank' };
  if (exceedsDepth(text, MOST_LEVELS)) return invalid('nested too deep');
  const frame = parseJson(text);
  if (frame === undefined) return invalid('not JSON');
  if (!isJsonObject(frame)) return invalid('not a JSON object');
  const type = stringField(frame, 'type');
  if (type === undefined) return invalid('no type');
  const decode = DECODERS.get(type);
  return decode === undefined ? { kind: 'ignored', reason: 'unknown_type', type: excerpt(type) } : decode(frame);
}

const DECODERS: ReadonlyMap<string, (frame: JsonObject) => Decoded<EngineMessage>> = new Map([
  ['workerregistered', decodeRegistered],
  ['invokefunction', decodeInvocation],
  ['invocationresult', decodeAnswer],
  ['registertrigger', decodeBinding],
  ['unregistertrigger', decodeBindingEnded],
  ['triggerregistrationresult', decodeTriggerRefused],
  ['registrationrejected', (frame) => message({ type: 'registrationrejected', error: decodeErrorBody(rejection(frame)) })],
  ['error', (frame) => message({ type: 'error', error: decodeErrorBody(field(frame, 'error') ?? {}) })],
  ['ping', () => message({ type: 'ping' })],
  ['pong', () => message({ type: 'pong' })],
] satisfies [string, (frame: JsonObject) => Decoded<EngineMessage>][]);

function decodeRegistered(frame: JsonObject): Decoded<EngineMessage> {
  const workerId = stringField(frame, 'worker_id');
  if (workerId === undefined) return invalid('worker_id must be a string');
  return message({ type: 'workerregistered', worker_id: workerId, reattach_token: stringField(frame, 'reattach_token') });
}

function decodeInvocation(frame: JsonObject): Decoded<EngineMessage> {
  const functionId = stringField(frame, 'function_id');
  if (functionId === undefined) return invalid('function_id must be a string');
  return message({
    type: 'invokefunction',
    invocation_id: stringField(frame, 'invocation_id'),
    function_id: functionId,
    data: field(frame, 'data') ?? null,
    metadata: optionalField(frame, 'metadata'),
    caller: optionalField(frame, '_caller'),
    isWrapped: field(frame, '_wrapped') === true || undefined,
    traceparent: stringField(frame, 'traceparent'),
    baggage: stringField(frame, 'baggage'),
  });
}

function decodeAnswer(frame: JsonObject): Decoded<EngineMessage> {
  const invocationId = stringField(frame, 'invocation_id');
  if (invocationId === undefined) return invalid('invocation_id must be a string');
  const error = optionalField(frame, 'error');
  return message({
    type: 'invocationresult',
    invocation_id: invocationId,
    function_id: stringField(frame, 'function_id') ?? '',
    result: field(frame, 'result'),
    error: error === undefined ? undefined : decodeErrorBody(error),
  });
}

function decodeBinding(frame: JsonObject): Decoded<EngineMessage> {
  const id = stringField(frame, 'id');
  const type = stringField(frame, 'trigger_type');
  const functionId = stringField(frame, 'function_id');
  if (id === undefined || type === undefined || functionId === undefined)
    return invalid('id, trigger_type and function_id must be strings');
  return message({
    type: 'registertrigger',
    id,
    trigger_type: type,
    function_id: functionId,
    config: configOf(frame),
    metadata: optionalField(frame, 'metadata'),
  });
}

function decodeBindingEnded(frame: JsonObject): Decoded<EngineMessage> {
  const id = stringField(frame, 'id');
  const type = stringField(frame, 'trigger_type');
  if (id === undefined || type === undefined) return invalid('id and trigger_type must be strings');
  return message({
    type: 'unregistertrigger',
    id,
    trigger_type: type,
    function_id: stringField(frame, 'function_id'),
    config: configOf(frame),
    metadata: optionalField(frame, 'metadata'),
  });
}

function decodeTriggerRefused(frame: JsonObject): Decoded<EngineMessage> {
  const error = optionalField(frame, 'error');
  return message({
    type: 'triggerregistrationresult',
    id: stringField(frame, 'id') ?? '',
    trigger_type: stringField(frame, 'trigger_type') ?? '',
    function_id: stringField(frame, 'function_id') ?? '',
    error: error === undefined ? undefined : decodeErrorBody(error),
  });
}

function configOf(frame: JsonObject): JsonObject {
  const config = field(frame, 'config');
  return isJsonObject(config) ? config : {};
}

/** Returns the error of a rejection. Engines of 0.23 send the id of the function beside the code, and no message. */
function rejection(frame: JsonObject): JsonObject {
  const functionId = stringField(frame, 'function_id');
  const named = functionId === undefined ? 'the worker' : `the function ${excerpt(functionId)}`;
  return { message: `the engine refused to register ${named}`, code: field(frame, 'code') };
}

function message(decoded: EngineMessage): Decoded<EngineMessage> {
  return { kind: 'message', message: decoded };
}

function invalid(reason: string): Decoded<EngineMessage> {
  return { kind: 'invalid', code: 'deserialization_error', reason };
}
