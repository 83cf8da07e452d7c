import { isJsonObject, type JsonText } from '@rivulet/protocol';
import type { Call } from './invocation.js';

const KEY = '_caller_worker_id';

/** The payload as a worker gets it: an object carries its caller's id, whatever the caller wrote there (spec WP §1.8). */
export function dataFor({ caller, payload }: Call): JsonText {
  if (caller === undefined) return payload.text;
  const { value } = payload;
  if (!isJsonObject(value)) return payload.text;
  if (Object.hasOwn(value, KEY)) return JSON.stringify({ ...value, [KEY]: caller.workerId });
  // Text is joined to text: a copy of the object, member by member, costs more than its whole encoding.
  const { text } = payload;
  const id = `"${KEY}":"${caller.workerId}"}`;
  return text === '{}' ? `{${id}` : `${text.slice(0, -1)},${id}`;
}

/** What a session wrote there of itself says nothing. */
export function withoutCaller(value: unknown): unknown {
  if (!isJsonObject(value) || !Object.hasOwn(value, KEY)) return value;
  const { [KEY]: _, ...rest } = value;
  return rest;
}
