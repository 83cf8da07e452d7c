import { isJsonObject, type JsonObject, type JsonText, stringField } from '@rivulet/protocol';
import { resultBytes } from '../core/builtins/answer.js';
import { mismatch, readCount, readText, requireExact } from '../core/builtins/input.js';
import type { Call } from '../core/fabric/invocation.js';
import type { NamesQuery } from '../store/callers/list-names.js';
import { requireId } from '../store/shared/ids.js';
import type { GroupRef } from '../store/store.js';

/** Stream of the state store. A scope is a group, and a key is an item. */
export const STATE_STREAM = 'state';

export function readName(input: JsonObject, field: 'scope' | 'key'): string {
  const name = stringField(input, field);
  if (name === undefined) throw mismatch(`${field} must be a string`);
  requireId(name, field);
  return name;
}

export function readScope(input: JsonObject): GroupRef {
  return { stream: STATE_STREAM, group: readName(input, 'scope') };
}

/** Returns the value to store, as text. SDKs up to 0.3 call it `data`. When both are given, `value` counts. */
export function readValue(call: Call, input: JsonObject): JsonText {
  requireExact(call);
  const field = ['value', 'data'].find((each) => Object.hasOwn(input, each));
  if (field === undefined) throw mismatch('value is required');
  return JSON.stringify(input[field]);
}

/** Most entries of a page. */
export const MOST_LISTED = 100_000;

/** Returns the page of scopes that a caller wants. An input that is no object means all scopes. */
export function readScopesQuery(call: Call): NamesQuery {
  const input = isJsonObject(call.payload.value) ? call.payload.value : {};
  const after = readText(input, 'after');
  if (after !== undefined) requireId(after, 'after');
  return { limit: readCount(input, 'limit', MOST_LISTED), after, maxBytes: resultBytes(call) };
}
