import { field, isJsonObject, type JsonText, parseJson, RivuletError } from '@rivulet/protocol';
import type { GroupRef, StoredItem } from '../../store/store.js';
import type { BackendOperation } from './worker-backends.js';

/** The values of an item before and after a write; `undefined` when there was none. */
export interface WorkerWrite {
  readonly old: JsonText | undefined;
  readonly new: JsonText | undefined;
}

/** Returns the input of a function that serves a group, as JSON. */
export function groupInput({ stream, group }: GroupRef): JsonText {
  return `{"stream_name":${JSON.stringify(stream)},"group_id":${JSON.stringify(group)}}`;
}

/** Returns the input of a function that serves an item, as JSON. `more`: further members, each after a comma. */
export function itemInput(ref: GroupRef, item: string, more: string): JsonText {
  return `${groupInput(ref).slice(0, -1)},"item_id":${JSON.stringify(item)}${more}}`;
}

/**
 * Reads the reply to a write. Returns `undefined` when the reply says nothing of the item; the write succeeded all the same. An `old_value`
 * of `null` states that there was no item.
 */
export function readWritten(
  operation: BackendOperation,
  answer: JsonText | undefined,
): (WorkerWrite & { readonly hadOld: boolean }) | undefined {
  const value: unknown = answer === undefined ? undefined : parseJson(answer);
  // A JavaScript worker may return the result of its last call, such as the boolean of `Map.delete`. It says nothing of the item.
  if (!isJsonObject(value)) return undefined;
  const old = field(value, 'old_value') ?? undefined;
  const written = operation === 'delete' ? undefined : field(value, 'new_value');
  return {
    hadOld: Object.hasOwn(value, 'old_value'),
    old: old === undefined ? undefined : JSON.stringify(old),
    new: written === undefined ? undefined : JSON.stringify(written),
  };
}

/** Reads the reply to `list`, which has values without ids. The id of an item is the `id` member of its value; otherwise its place. */
export function readItems(answer: JsonText | undefined, stream: string, offset: number): readonly StoredItem[] {
  const values: unknown = answer === undefined ? [] : parseJson(answer);
  if (!Array.isArray(values)) throw jsonError('list', stream, 'an array');
  return values.map((value: unknown, index) => {
    const id = isJsonObject(value) ? field(value, 'id') : undefined;
    // Offsets in the order of the list, and none above `offset`: an item that is created later stands behind all of them.
    const created = offset - values.length + 1 + index;
    return { item: typeof id === 'string' ? id : String(index), data: JSON.stringify(value), created, changed: offset };
  });
}

/** Returns the error of a reply that has the wrong shape. */
export function jsonError(operation: BackendOperation, stream: string, expected: string): RivuletError {
  return new RivuletError('JSON_ERROR', `stream::${operation}(${stream}) must answer ${expected}`);
}
