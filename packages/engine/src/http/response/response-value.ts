import { field, isJsonObject, type JsonObject, parseJson } from '@rivulet/protocol';
import { ResponseHeaders } from './headers.js';

export interface ValueResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: string;
}

/** Reads status, headers and body from the result of a function (spec HT §4.4). */
export function readResponse(result: JsonObject): ValueResponse {
  const headers = new ResponseHeaders();
  headers.merge(field(result, 'headers'));
  // The engine sets the length of the bytes that it sends.
  headers.delete('content-length');
  const body = Object.hasOwn(result, 'body') ? result.body : {};
  return { status: readStatus(field(result, 'status_code')), headers, body: encode(headers, body) };
}

/** Returns a JSON response of the engine itself. */
export function jsonResponse(status: number, value: unknown): ValueResponse {
  const headers = new ResponseHeaders();
  return { status, headers, body: encode(headers, value) };
}

/** Returns a valid status, else 200. A 1xx status cannot end a request, so it is not valid. */
function readStatus(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 999 ? value : 200;
}

/** Returns the text of a body. Without a content type every value is JSON. With one, a text is sent as it is, and `null` as nothing. */
function encode(headers: ResponseHeaders, body: unknown): string {
  if (headers.get('content-type') === undefined) {
    headers.set('content-type', 'application/json');
    return JSON.stringify(body);
  }
  if (typeof body === 'string') return body;
  return body === null ? '' : JSON.stringify(body);
}

/** Parses the text of a result. Returns `undefined` if it is no object. */
export function objectOf(text: string): JsonObject | undefined {
  const value: unknown = parseJson(text);
  return isJsonObject(value) ? value : undefined;
}
