import { isJsonObject, type JsonObject, type JsonText, stringField } from '@rivulet/protocol';
import { resultBytes } from '../core/builtins/answer.js';
import { mismatch, readCount, readText, requireExact } from '../core/builtins/input.js';
import type { Call } from '../core/fabric/invocation.js';
import type { NamesQuery } from '../store/callers/list-names.js';
import { requireId } from '../store/shared/ids.js';
import type { GroupRef } from '../store/store.js';

/** State is one stream of its store: a scope is a group, a key an item. */
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

/** The value to store, as text. SDKs up to 0.3 call it `data`; where both are given, `value` counts. */
export function readValue(call: Call, input: JsonObject): JsonText {
  requireExact(call);
  const field = ['value', 'data'].find((each) => Object.hasOwn(input, each));
  if (field === undefined) throw mismatch('value is required');
  return JSON.stringify(input[field]);
}

/** Entries of a page. */
export const MOST_LISTED = 100_000;

/** Which part of the list of scopes a caller wants. The input may be anything that is no object: all of them. */
export function readScopesQuery(call: Call): NamesQuery {
  const input = isJsonObject(call.payload.value) ? call.payload.value : {};
  const after = readText(input, 'after');
  if (after !== undefined) requireId(after, 'after');
  return { limit: readCount(input, 'limit', MOST_LISTED), after, maxBytes: resultBytes(call) };
}
