import { field, isJsonObject, type JsonObject, parseJson } from '@rivulet/protocol';
import { ResponseHeaders } from './headers.js';

export interface ValueResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: string;
}

/** What a function's result says of the response (spec HT §4.4). */
export function readResponse(result: JsonObject): ValueResponse {
  const headers = new ResponseHeaders();
  headers.merge(field(result, 'headers'));
  // The length is that of what is sent.
  headers.delete('content-length');
  const body = Object.hasOwn(result, 'body') ? result.body : {};
  return { status: readStatus(field(result, 'status_code')), headers, body: encode(headers, body) };
}

/** A response of the engine's own. */
export function jsonResponse(status: number, value: unknown): ValueResponse {
  const headers = new ResponseHeaders();
  return { status, headers, body: encode(headers, value) };
}

/** 1xx can't end a request, so they are no status either. */
function readStatus(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 999 ? value : 200;
}

/** Without a content type everything is JSON, with one a text is sent as it is and `null` as nothing. */
function encode(headers: ResponseHeaders, body: unknown): string {
  if (headers.get('content-type') === undefined) {
    headers.set('content-type', 'application/json');
    return JSON.stringify(body);
  }
  if (typeof body === 'string') return body;
  return body === null ? '' : JSON.stringify(body);
}

/** Reads a result's text; `undefined`: it is no object. */
export function objectOf(text: string): JsonObject | undefined {
  const value: unknown = parseJson(text);
  return isJsonObject(value) ? value : undefined;
}
