import { type JsonText, type Position, RivuletError } from '@rivulet/protocol';
import type { GroupRef, StoredItem, StreamStore } from './store.js';

export interface ListOptions {
  /** How an item is listed, as JSON. */
  readonly row: (item: StoredItem, position: Position) => JsonText;
  readonly limit: number | undefined;
  /** Begin behind this item, in order of creation. */
  readonly after: string | undefined;
  /** The answer must fit the caller's message limit. */
  readonly maxBytes: number;
}

export interface Listing {
  /** A JSON array. */
  readonly rows: JsonText;
  /** Where the group stood. */
  readonly position: Position;
}

/** The items of a group in order of creation, from one consistent view. */
export async function listGroup(store: StreamStore, ref: GroupRef, options: ListOptions): Promise<Listing> {
  const snapshot = await store.snapshot(ref);
  const { position } = snapshot;
  const rows: string[] = [];
  let characters = 2;
  let begun = options.after === undefined;
  try {
    for await (const chunk of snapshot.chunks()) {
      for (const item of chunk) {
        if (!begun) {
          begun = item.item === options.after;
          continue;
        }
        const row = options.row(item, position);
        characters += row.length + 1;
        if (characters > options.maxBytes) throw tooLarge(options.maxBytes);
        rows.push(row);
        if (rows.length === options.limit) return { rows: finish(rows, options.maxBytes), position };
      }
    }
  } finally {
    snapshot.close();
  }
  if (!begun) throw new RivuletError('INVALID_ARGUMENTS', 'after names nothing that is in the list');
  return { rows: finish(rows, options.maxBytes), position };
}

function finish(rows: readonly string[], maxBytes: number): JsonText {
  const text = `[${rows.join(',')}]`;
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge(maxBytes);
  return text;
}

function tooLarge(maxBytes: number): RivuletError {
  return new RivuletError(
    'RESULT_TOO_LARGE',
    `the list is larger than the caller's message limit of ${maxBytes} bytes; page it with limit and after`,
  );
}
