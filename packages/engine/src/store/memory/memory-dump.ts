import type { TurnBudget } from '../../structures/turn-budget.js';
import { chunksOf, type DumpedExpiry, type DumpedGroup, type DumpedItem, type DumpedStore, type DumpSource } from '../shared/dump.js';
import type { StoredItem } from '../store.js';
import type { Group, MemoryGroups } from './groups.js';

/**
 * Reads a whole store in memory while it works. Each group is of one moment, at which the dump comes to it. The groups are those that
 * existed at the begin; one that was forgotten meanwhile is left out. The event loop turns between two chunks.
 */
export class MemoryDump implements DumpSource {
  readonly store: DumpedStore;
  readonly #groups: MemoryGroups;
  readonly #turns: TurnBudget;

  constructor(groups: MemoryGroups, epoch: string, turns: TurnBudget) {
    const { offset, timestamp } = groups.removed;
    this.store = { epoch, removedOffset: offset, removedTimestamp: timestamp };
    this.#groups = groups;
    this.#turns = turns;
  }

  async *groups(): AsyncIterable<DumpedGroup> {
    for (const group of this.#groups.all()) {
      await this.#turns.free();
      if (this.#groups.get(group) !== group) continue;
      const { stream, group: name, offset, timestamp } = group;
      const { items, close } = openItems(group);
      try {
        yield { stream, group: name, offset, timestamp, chunks: () => this.#inTurns(chunksOf(items)) };
      } finally {
        close();
      }
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async *#inTurns(chunks: Iterable<readonly DumpedItem[]>): AsyncIterable<readonly DumpedItem[]> {
    for (const chunk of chunks) {
      // The reader makes lines of the values.
      await this.#turns.pay(chunk.reduce((sum, { data }) => sum + data.length, 0));
      yield chunk;
    }
  }
}

/** Keeps the items of a group as they are now, with their expiries, until `close`. */
function openItems(group: Group): { readonly items: Iterable<DumpedItem>; readonly close: () => void } {
  const { items } = group;
  const expiries = new Map<string, DumpedExpiry>();
  for (const [item, graceMs] of group.leased) expiries.set(item, { kind: 'leased', graceMs });
  for (const [item, { at }] of group.deadlines) expiries.set(item, { kind: 'ttl', at });
  group.readers++;
  return {
    items: withExpiries(items.values(), expiries),
    close: () => {
      // A writer that replaced the map has begun a new count of readers.
      if (group.items === items) group.readers--;
    },
  };
}

function* withExpiries(items: Iterable<StoredItem>, expiries: ReadonlyMap<string, DumpedExpiry>): Iterable<DumpedItem> {
  for (const { item, data, created, changed } of items) yield { item, data, created, changed, expiry: expiries.get(item) };
}
