import type { ErrorCode } from '../errors.js';
import { parseJson } from '../json/guards.js';
import {
  excerpt,
  field,
  isJsonObject,
  isNamespace,
  isRegistryId,
  type JsonObject,
  namespaceRule,
  optionalField,
  stringField,
} from '../json/json-fields.js';
import { exceedsKeys, tooManyKeys } from '../json/json-keys.js';
import { scanJson } from '../json/json-scan.js';
import type { Action, InvocationResult, InvokeFunction, WorkerMessage } from '../messages/worker-messages.js';
import { decodeErrorBody } from './decode-error-body.js';
import type { Decoded, RefusedTrigger, Undecodable } from './decoded.js';
import { readFrameHead } from './frame-head.js';

/**
 * Decodes one text frame of a worker. Returns a result for any string, and never throws. It is lenient where the published SDKs need it
 * (spec WP §1.2): for an optional key, absent and `null` are the same, and unknown keys are ignored. `mostKeys` bounds the keys in messages
 * of guests, as `most` of `exceedsKeys` does. By default keys are not counted.
 */
export function decodeWorkerMessage(text: string, mostKeys?: number): Decoded<WorkerMessage> {
  if (text.trim() === '') return { kind: 'ignored', reason: 'blank' };
  const scan = scanJson(text);
  if (scan.kind === 'refused') return unreadable(text, scan.reason);
  if (mostKeys !== undefined && exceedsKeys(text, mostKeys)) return unreadable(text, tooManyKeys(mostKeys));
  const frame = parseJson(text);
  if (frame === undefined) return unreadable(text, 'not JSON');
  if (!isJsonObject(frame)) return invalid('deserialization_error', 'not a JSON object');
  const type = stringField(frame, 'type');
  if (type === undefined) return invalid('deserialization_error', 'no type');
  if (type === 'invokefunction') return decodeInvoke(frame, scan.inexactNumbers);
  if (type === 'invocationresult') return decodeResult(frame);
  const decode = DECODERS.get(type);
  return decode === undefined ? { kind: 'ignored', reason: 'unknown_type', type: excerpt(type) } : decode(frame);
}

const DECODERS: ReadonlyMap<string, (frame: JsonObject) => Decoded<WorkerMessage>> = new Map([
  ['registerfunction', decodeRegisterFunction],
  ['unregisterfunction', (frame) => withId(frame, (id) => ({ type: 'unregisterfunction', id }))],
  ['registertriggertype', decodeRegisterTriggerType],
  ['unregistertriggertype', (frame) => withId(frame, (id) => ({ type: 'unregistertriggertype', id }))],
  ['registertrigger', decodeRegisterTrigger],
  [
    'unregistertrigger',
    (frame) => withId(frame, (id) => ({ type: 'unregistertrigger', id, trigger_type: stringField(frame, 'trigger_type') })),
  ],
  ['triggerregistrationresult', decodeTriggerResult],
  ['registerservice', decodeRegisterService],
  ['reattach', decodeReattach],
  ['ping', () => message({ type: 'ping' })],
  ['pong', () => message({ type: 'pong' })],
] satisfies [string, (frame: JsonObject) => Decoded<WorkerMessage>][]);

const HEAD = new Set(['type', 'invocation_id', 'function_id', 'action', 'id', 'trigger_type']);

/** Returns the result for a frame that can't be parsed. It names the caller or the registrant that waits for an answer, if there is one. */
function unreadable(text: string, reason: string): Undecodable {
  const head = readFrameHead(text, HEAD);
  const type = stringField(head, 'type');
  if (type === 'invocationresult') {
    const answerTo = stringField(head, 'invocation_id');
    return invalid('deserialization_error', reason, answerTo === undefined ? {} : { answerTo });
  }
  if (type === 'invokefunction') return refusedInvoke(head, reason);
  return type === 'registertrigger' ? refusedTrigger(head, reason) : invalid('deserialization_error', reason);
}

/** Returns the result for a refused call. It names the caller that waits for an answer. The ids in it are bounded. */
function refusedInvoke(frame: JsonObject, reason: string, code: ErrorCode = 'deserialization_error'): Undecodable {
  const invocationId = registryId(frame, 'invocation_id');
  const functionId = stringField(frame, 'function_id');
  if (invocationId === undefined || decodeAction(optionalField(frame, 'action'))?.type === 'void') return invalid(code, reason);
  const named = functionId === undefined ? {} : { functionId: isRegistryId(functionId) ? functionId : excerpt(functionId) };
  return invalid(code, reason, { invocationId, ...named });
}

function refusedTrigger(frame: JsonObject, reason: string, code: ErrorCode = 'trigger_registration_failed'): Undecodable {
  const id = registryId(frame, 'id');
  if (id === undefined) return invalid(code, reason);
  const trigger = { id, type: registryId(frame, 'trigger_type') ?? '', functionId: registryId(frame, 'function_id') ?? '' };
  return invalid(code, reason, { trigger });
}

function decodeInvoke(frame: JsonObject, inexactNumbers: boolean): Decoded<WorkerMessage> {
  const functionId = stringField(frame, 'function_id');
  const invocationId = stringField(frame, 'invocation_id');
  if (invocationId !== undefined && !isRegistryId(invocationId)) return refusedInvoke(frame, 'invocation_id is too long');
  if (functionId === undefined) return refusedInvoke(frame, 'function_id must be a string');
  if (!isRegistryId(functionId)) return refusedInvoke(frame, 'function_id is too long');
  const namespace = optionalField(frame, 'namespace');
  if (namespace !== undefined && !isNamespace(namespace)) return refusedInvoke(frame, namespaceRule('namespace'), 'INVALID_NAMESPACE');
  const action = decodeAction(optionalField(frame, 'action'));
  const invoke: InvokeFunction = {
    type: 'invokefunction',
    invocation_id: invocationId,
    function_id: functionId,
    data: field(frame, 'data') ?? null,
    traceparent: stringField(frame, 'traceparent'),
    baggage: stringField(frame, 'baggage'),
    action,
    metadata: optionalField(frame, 'metadata'),
    namespace,
    inexactNumbers,
  };
  return message(invoke);
}

function decodeAction(action: unknown): Action | undefined {
  if (action === undefined) return undefined;
  if (!isJsonObject(action)) return { type: 'unknown', name: typeof action };
  const type = stringField(action, 'type');
  if (type === 'void') return { type: 'void' };
  if (type === 'enqueue') return { type: 'enqueue', queue: stringField(action, 'queue') ?? '' };
  return { type: 'unknown', name: excerpt(type ?? '') };
}

function decodeResult(frame: JsonObject): Decoded<WorkerMessage> {
  const error = optionalField(frame, 'error');
  const result: InvocationResult = {
    type: 'invocationresult',
    invocation_id: stringField(frame, 'invocation_id'),
    function_id: stringField(frame, 'function_id') ?? '',
    result: optionalField(frame, 'result'),
    error: error === undefined ? undefined : decodeErrorBody(error),
    traceparent: stringField(frame, 'traceparent'),
    baggage: stringField(frame, 'baggage'),
  };
  return message(result);
}

function decodeRegisterFunction(frame: JsonObject): Decoded<WorkerMessage> {
  return withId(frame, (id) => ({
    type: 'registerfunction',
    id,
    description: stringField(frame, 'description') ?? null,
    request_format: field(frame, 'request_format') ?? null,
    response_format: field(frame, 'response_format') ?? null,
    metadata: field(frame, 'metadata') ?? null,
    invocation: optionalField(frame, 'invocation'),
  }));
}

function decodeRegisterTriggerType(frame: JsonObject): Decoded<WorkerMessage> {
  return withId(frame, (id) => ({
    type: 'registertriggertype',
    id,
    description: stringField(frame, 'description') ?? '',
    trigger_request_format: field(frame, 'trigger_request_format') ?? null,
    call_request_format: field(frame, 'call_request_format') ?? null,
  }));
}

function decodeRegisterTrigger(frame: JsonObject): Decoded<WorkerMessage> {
  const triggerType = registryId(frame, 'trigger_type');
  const functionId = registryId(frame, 'function_id');
  const config = optionalField(frame, 'config') ?? {};
  const namespace = optionalField(frame, 'namespace');
  const triggerNamespace = optionalField(frame, 'trigger_namespace');
  const refuse = (reason: string, code?: ErrorCode) => refusedTrigger(frame, reason, code);
  if (triggerType === undefined) return refuse('trigger_type must be a string within bounds');
  if (functionId === undefined) return refuse('function_id must be a string within bounds');
  if (!isJsonObject(config)) return refuse('config must be an object');
  if (namespace !== undefined && !isNamespace(namespace)) return refuse(namespaceRule('namespace'), 'INVALID_NAMESPACE');
  if (triggerNamespace !== undefined && !isNamespace(triggerNamespace))
    return refuse(namespaceRule('trigger_namespace'), 'INVALID_NAMESPACE');
  return withId(frame, (id) => ({
    type: 'registertrigger',
    id,
    trigger_type: triggerType,
    function_id: functionId,
    config,
    metadata: optionalField(frame, 'metadata'),
    namespace,
    trigger_namespace: triggerNamespace,
  }));
}

function decodeTriggerResult(frame: JsonObject): Decoded<WorkerMessage> {
  const error = optionalField(frame, 'error');
  return withId(frame, (id) => ({
    type: 'triggerregistrationresult',
    id,
    trigger_type: stringField(frame, 'trigger_type') ?? '',
    function_id: stringField(frame, 'function_id') ?? '',
    error: error === undefined ? undefined : decodeErrorBody(error),
  }));
}

function decodeRegisterService(frame: JsonObject): Decoded<WorkerMessage> {
  return withId(frame, (id) => ({
    type: 'registerservice',
    id,
    name: stringField(frame, 'name') ?? id,
    description: stringField(frame, 'description') ?? null,
    parent_service_id: stringField(frame, 'parent_service_id') ?? null,
  }));
}

function decodeReattach(frame: JsonObject): Decoded<WorkerMessage> {
  const previous = stringField(frame, 'previous_worker_id');
  if (previous === undefined) return invalid('deserialization_error', 'previous_worker_id must be a string');
  return message({ type: 'reattach', previous_worker_id: previous, reattach_token: stringField(frame, 'reattach_token') });
}

function withId(frame: JsonObject, build: (id: string) => WorkerMessage): Decoded<WorkerMessage> {
  const id = registryId(frame, 'id');
  if (id === undefined) return invalid('deserialization_error', 'id must be a string within bounds');
  return message(build(id));
}

/** Returns a text within the bounds of an id, or `undefined` for any other value. */
function registryId(frame: JsonObject, key: string): string | undefined {
  const id = stringField(frame, key);
  return id !== undefined && isRegistryId(id) ? id : undefined;
}

function message(decoded: WorkerMessage): Decoded<WorkerMessage> {
  return { kind: 'message', message: decoded };
}

function invalid(
  code: ErrorCode,
  reason: string,
  told: { invocationId?: string; functionId?: string; answerTo?: string; trigger?: RefusedTrigger } = {},
): Undecodable {
  return { kind: 'invalid', code, reason, ...told };
}
