import {
  decodeHead,
  decodeItem,
  type Head,
  type ItemRecord,
  NUMBER_BYTES,
  numberAt,
  splitHeadKey,
  textIn,
  versionFieldsIn,
} from '../tables/records.js';
import { decodeState, type StoreState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';

/** The newest known change of an item. */
interface LastChange {
  readonly changed: number;
  readonly live: boolean;
}

/** Everything that was found of a store, each record in its newest state. */
export class FoundRecords {
  /** Records of items by their keys. */
  readonly items = new Map<string, ItemRecord>();
  readonly heads = new Map<number, Head>();
  readonly keys = new Map<string, Buffer>();
  /** Keys of heads by the numbers of groups. A number never stands for another group. */
  readonly #names = new Map<number, Buffer>();
  readonly #changes = new Map<string, LastChange>();
  /** Items that the order of a group names. */
  readonly #ordered = new Set<string>();
  state: StoreState | undefined;

  add(table: keyof Tables, key: Buffer, record: Buffer): void {
    switch (table) {
      case 'items':
        return this.#addItem(key, decodeItem(key, record));
      case 'heads':
        return this.#addHead(key, decodeHead(key, record));
      case 'versions': {
        const { live, item } = versionFieldsIn(record);
        return this.#addChange(textKey(key.subarray(0, NUMBER_BYTES), item), { changed: numberAt(key, 1), live });
      }
      case 'keys':
        this.keys.set(key.toString(), Buffer.from(record));
        return;
      case 'tombstones':
        return this.#addName(numberAt(key, 1), textIn(record));
      case 'expiries': {
        const text = textIn(record);
        return this.#addName(numberAt(key, key.length / NUMBER_BYTES - 2), text.subarray(0, text.lastIndexOf(0)));
      }
      case 'meta': {
        const state = decodeState(key, record);
        if (state !== undefined && state.nextGroup >= (this.state?.nextGroup ?? 0)) this.state = state;
        return;
      }
      case 'order':
        this.#ordered.add(textKey(key.subarray(0, NUMBER_BYTES), textIn(record)));
        return;
      case 'key_ages':
        // They follow from the records of keys.
        return;
      default:
        return table satisfies never;
    }
  }

  /** Returns the key of the head of a group; `undefined` when no record names the group. */
  nameOf(group: number): Buffer | undefined {
    return this.#names.get(group);
  }

  /** Returns whether the record is that of the last known change of its item. */
  isNewest(key: string, { changed }: ItemRecord): boolean {
    return changed >= (this.#changes.get(key)?.changed ?? 0);
  }

  /** Yields the keys of items that exist and whose newest record was not found. */
  *lost(): Generator<string> {
    for (const [key, { changed, live }] of this.#changes) if (live && this.items.get(key)?.changed !== changed) yield key;
    for (const key of this.#ordered) if (!this.#changes.has(key)) yield key;
  }

  #addItem(key: Buffer, item: ItemRecord): void {
    const name = textKey(key.subarray(0, NUMBER_BYTES), key.subarray(NUMBER_BYTES));
    const known = this.items.get(name);
    if (known === undefined || known.changed < item.changed) this.items.set(name, item);
    this.#addChange(name, item);
  }

  #addChange(name: string, { changed, live }: LastChange): void {
    const known = this.#changes.get(name);
    if (known === undefined || known.changed < changed) this.#changes.set(name, { changed, live });
  }

  #addHead(key: Buffer, head: Head): void {
    this.#addName(head.number, key);
    const known = this.heads.get(head.number);
    if (known === undefined || known.offset < head.offset) this.heads.set(head.number, head);
  }

  #addName(group: number, key: Buffer): void {
    if (!this.#names.has(group)) this.#names.set(group, Buffer.from(key));
  }
}

/** Returns the name of an item in the maps: the number of its group and its id. */
function textKey(group: Buffer, item: Buffer): string {
  return `${numberAt(group, 0)}\u0000${item.toString()}`;
}

/** Returns the number of the group and the id of a name in the maps. */
export function splitName(name: string): { readonly group: number; readonly item: string } {
  const at = name.indexOf('\u0000');
  return { group: Number(name.slice(0, at)), item: name.slice(at + 1) };
}

/** Returns the names of a group. Without a record that names it, the group gets a new name. */
export function groupNames(found: FoundRecords, group: number): { readonly stream: string; readonly group: string } {
  const key = found.nameOf(group);
  return key === undefined ? { stream: 'salvaged', group: `group-${group}` } : splitHeadKey(key);
}
