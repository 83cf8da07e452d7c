import { type JsonObject, stringField } from '@rivulet/protocol';
import { mismatch } from '../core/builtin-input.js';
import { requireId } from '../store/ids.js';
import type { GroupRef } from '../store/store.js';

export function readId(input: JsonObject, key: 'stream_name' | 'group_id' | 'item_id'): string {
  const id = stringField(input, key);
  if (id === undefined) throw mismatch(`${key} must be a string`);
  requireId(id, key);
  return id;
}

export function readGroup(input: JsonObject): GroupRef {
  return { stream: readId(input, 'stream_name'), group: readId(input, 'group_id') };
}
