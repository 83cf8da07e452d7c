import { type JsonObject, type JsonText, stringField } from '@rivulet/protocol';
import { mismatch, requireExact } from '../core/builtin-input.js';
import type { Call } from '../core/invocation.js';
import { requireId } from '../store/ids.js';
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
