import { type JsonObject, stringField } from '@rivulet/protocol';
import { resultBytes } from '../../core/builtins/answer.js';
import { mismatch, readCount, readText } from '../../core/builtins/input.js';
import type { Call } from '../../core/fabric/invocation.js';
import type { NamesQuery } from '../../store/callers/list-names.js';
import { requireId, requireStreamName } from '../../store/shared/ids.js';
import type { GroupRef } from '../../store/store.js';

/** Entries of one page at most. */
export const MOST_LISTED = 100_000;

/** Reads an id. Throws deserialization_error or INVALID_ID. */
export function readId(input: JsonObject, key: 'stream_name' | 'group_id' | 'item_id'): string {
  const id = stringField(input, key);
  if (id === undefined) throw mismatch(`${key} must be a string`);
  if (key === 'stream_name') requireStreamName(id, key);
  else requireId(id, key);
  return id;
}

/** Reads the group of a call. Throws deserialization_error or INVALID_ID. */
export function readGroup(input: JsonObject): GroupRef {
  return { stream: readId(input, 'stream_name'), group: readId(input, 'group_id') };
}

/** Reads which part of a list of groups the caller wants. */
export function readNamesQuery(call: Call, input: JsonObject): NamesQuery {
  const after = readText(input, 'after');
  if (after !== undefined) requireId(after, 'after');
  return { limit: readCount(input, 'limit', MOST_LISTED), after, maxBytes: resultBytes(call) };
}
