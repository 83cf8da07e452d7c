import type { IncomingMessage } from 'node:http';
import {
  decodeCall,
  type ErrorCode,
  exceedsKeys,
  LIMITS,
  parseJson,
  percentDecode,
  type StreamCall,
  scanJson,
  tooManyKeys,
} from '@rivulet/protocol';
import { decodeQuery } from '../../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../../transport/upgrade/upgrade-request.js';

/** An error that the engine finds in a request. The function is not called. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
}

export type ReadCall = { readonly kind: 'call'; readonly call: StreamCall } | Refusal;

const PATH = '/call/';
const WHOLE = /^\d{1,15}$/;

/** Returns the function that the path of a request names; `undefined` for another path. */
export function functionOf(path: string): string | undefined {
  return path.startsWith(PATH) ? (percentDecode(path.slice(PATH.length)) ?? '') : undefined;
}

/** Returns why the engine does not read the body of a request; `undefined` when it reads it. */
export function refuseBody({ headers }: IncomingMessage, mostBytes: number): Refusal | undefined {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  // Pages of other origins send this type only after a preflight request.
  if (type !== 'application/json') return refused('INVALID_ARGUMENTS', 'send the input as JSON, with content-type: application/json');
  if (Number(headers['content-length'] ?? 0) > mostBytes) return tooLarge(mostBytes);
  return undefined;
}

/** Reads a call from its body, its query and its headers, as rule RV-60 reads a frame. An empty body means `null`. */
export function readCall(functionId: string, text: string, { rawQuery, headers }: UpgradeRequest): ReadCall {
  const body = text.trim() === '' ? 'null' : text;
  const scan = scanJson(body);
  if (scan.kind === 'refused') return refused('deserialization_error', `the body can't be taken: ${scan.reason}`);
  if (exceedsKeys(body, LIMITS.guestKeys))
    return refused('deserialization_error', `the body can't be taken: ${tooManyKeys(LIMITS.guestKeys)}`);
  const data = parseJson(body);
  if (data === undefined) return refused('deserialization_error', 'the body is not JSON');
  const query = decodeQuery(rawQuery);
  const key = headers['idempotency-key'];
  const decoded = decodeCall(
    {
      callId: 'http',
      functionId,
      data,
      idempotencyKey: typeof key === 'string' ? key : undefined,
      repeatedAfterMs: numberOf(query['repeatedAfterMs']?.at(-1)),
      timeoutMs: numberOf(query['timeoutMs']?.at(-1)),
      confirm: (query['confirm'] ?? []).map(groupOf),
    },
    scan.inexactNumbers,
  );
  if (decoded.kind === 'message' && decoded.message.type === 'call') return { kind: 'call', call: decoded.message };
  return refused('deserialization_error', decoded.kind === 'invalid' ? decoded.reason : 'the request is no call');
}

export function tooLarge(mostBytes: number): Refusal {
  return refused('MESSAGE_TOO_LARGE', `the body has more than ${mostBytes} bytes (max_message_bytes of rivulet-stream)`);
}

export function refused(code: ErrorCode, message: string): Refusal {
  return { kind: 'refused', code, message };
}

/** Reads a number of the query. Any other text stays a text, which is refused. */
function numberOf(text: string | undefined): unknown {
  return text !== undefined && WHOLE.test(text) ? Number(text) : text;
}

/** Reads a group, written as STREAM/GROUP with both parts percent-encoded. */
function groupOf(path: string): unknown {
  const [streamName, groupId, ...rest] = path.split('/').map(percentDecode);
  return rest.length > 0 ? undefined : { streamName, groupId };
}
