import type { ChangeEntry, StoredItem } from '../store.js';

/** Returns the UTF-16 code units of an entry that is a value; a tombstone has none. */
export function charsOf(entry: StoredItem | ChangeEntry): number {
  return 'data' in entry ? entry.data.length : 0;
}
