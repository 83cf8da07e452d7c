import { type ErrorCode, type JsonText, LIMITS } from '@rivulet/protocol';
import type { FunctionFabric } from '../core/fabric/function-fabric.js';
import type { Call, Caller, Outcome } from '../core/fabric/invocation.js';
import { type Answer, errorAnswer, textAnswer } from './answer.js';

/** The admin listener as a caller: a trusted one whose pages are small. */
const PAGING_CALLER: Caller = { workerId: 'admin', version: undefined, maxMessageBytes: LIMITS.adminItemsBytes };

/** Milliseconds for a function of the engine itself. */
const BUILTIN_MS = 30_000;

/** Status codes of errors that concern the request or the moment. All other errors are 500. */
const STATUS_OF: ReadonlyMap<string, number> = new Map<ErrorCode, number>([
  ['deserialization_error', 400],
  ['INVALID_ARGUMENTS', 400],
  ['INVALID_ID', 400],
  ['INVALID_NAMESPACE', 400],
  ['FORBIDDEN', 403],
  ['NOT_FOUND', 404],
  ['function_not_found', 404],
  ['VALUE_TOO_LARGE', 413],
  ['MESSAGE_TOO_LARGE', 413],
  ['RESULT_TOO_LARGE', 413],
  ['OVERLOADED', 503],
  ['GROUP_FULL', 507],
  ['STORE_FULL', 503],
  ['STORE_UNAVAILABLE', 503],
  ['STREAM_BACKEND_UNAVAILABLE', 503],
  ['ENGINE_STOPPING', 503],
]);

/** Calls a function of the engine, and resolves with the answer that `write` makes of its result. */
export async function callBuiltin(
  fabric: FunctionFabric,
  call: Pick<Call, 'functionId' | 'payload' | 'inexactNumbers'>,
  write: (result: JsonText | undefined) => Answer,
): Promise<Answer> {
  return outcomeAnswer(await fabric.request({ ...call, caller: PAGING_CALLER }, BUILTIN_MS), write);
}

/** `write` gets `undefined` when the function returned nothing. */
export function outcomeAnswer(outcome: Outcome | { readonly kind: 'timeout' }, write: (result: JsonText | undefined) => Answer): Answer {
  if (outcome.kind === 'timeout') return errorAnswer(504, 'TIMEOUT', 'the function did not answer in time; it may still run');
  if (outcome.kind === 'result') return write(outcome.text);
  return codedAnswer(outcome.error);
}

/** Returns the answer of an error with a code. */
export function codedAnswer({ code, message }: { readonly code: string; readonly message: string }): Answer {
  return errorAnswer(STATUS_OF.get(code) ?? 500, code, message);
}

/** Returns an answer with the result under a key. */
export function resultAnswer(key: string): (result: JsonText | undefined) => Answer {
  return (result = 'null') => textAnswer(200, `{${JSON.stringify(key)}:${result}}`);
}

/** Longest time of a call, in milliseconds. */
export const MOST_CALL_MS = LIMITS.adminCallMs;
