import type { BoundsOf, Change, ChangeEntry, Commit, GroupRef, StoredItem, StreamStore } from '@rivulet/engine/store';
import type { JsonText, Position } from '@rivulet/protocol';

/** Makes the stores of the suite. A store must take its timestamps from `now`, in Unix milliseconds. */
export interface StoreFactory {
  /** Whether `reopen` finds the data of the store before. */
  readonly persistent: boolean;
  /** Whether the stores obey `boundsOf`. Without it, the clauses about bounds pass. @default false */
  readonly bounded?: boolean;
  /** Returns a new, empty store that is not started. */
  create(now: () => number, boundsOf?: BoundsOf): Promise<StreamStore>;
  /** Returns a store over the same data, not started. The suite has closed the store before. Only persistent stores need it. */
  reopen(now: () => number, boundsOf?: BoundsOf): Promise<StreamStore>;
  /** Removes the data of the last store. */
  dispose(): Promise<void>;
}

export interface StoreClause {
  readonly title: string;
  /** Whether the clause applies only to stores that keep their data across a restart. */
  readonly persistent: boolean;
  run(factory: StoreFactory): Promise<void>;
}

/** A started store with everything that it reported. */
export class OpenStore {
  readonly store: StreamStore;
  readonly commits: Commit[] = [];
  readonly breaks: string[] = [];
  /** Called inside the `onCommit` of the store. */
  onCommit: ((commit: Commit) => void) | undefined;

  private constructor(store: StreamStore) {
    this.store = store;
  }

  static async start(store: StreamStore): Promise<OpenStore> {
    const open = new OpenStore(store);
    await store.start({
      onCommit: (commit) => {
        open.commits.push(commit);
        open.onCommit?.(commit);
      },
      onBreak: (_ref, reason) => open.breaks.push(reason),
    });
    return open;
  }

  set(item: string, data: JsonText, ref: GroupRef = GROUP): ReturnType<StreamStore['apply']> {
    return this.store.apply({ kind: 'set', ...ref, item, data });
  }

  delete(item: string, ref: GroupRef = GROUP): ReturnType<StreamStore['apply']> {
    return this.store.apply({ kind: 'delete', ...ref, item });
  }

  event(type: string, ref: GroupRef = GROUP): ReturnType<StreamStore['apply']> {
    return this.store.apply({ kind: 'event', ...ref, item: undefined, type, data: 'null' });
  }

  apply(change: Change): ReturnType<StreamStore['apply']> {
    return this.store.apply(change);
  }

  async value(item: string, ref: GroupRef = GROUP): Promise<JsonText | undefined> {
    return (await this.store.get(ref, item)).value?.data;
  }

  async items(ref: GroupRef = GROUP): Promise<{ readonly items: StoredItem[]; readonly position: Position }> {
    const snapshot = await this.store.snapshot(ref);
    const items: StoredItem[] = [];
    for await (const chunk of snapshot.chunks()) items.push(...chunk);
    snapshot.close();
    return { items, position: snapshot.position };
  }

  /** Resolves with all entries, or with `stale`. */
  async changes(since: Position, ref: GroupRef = GROUP): Promise<'stale' | ChangeEntry[]> {
    const changes = await this.store.changes(ref, since);
    if (changes.kind === 'stale') return 'stale';
    const entries: ChangeEntry[] = [];
    for await (const chunk of changes.chunks()) entries.push(...chunk);
    changes.close();
    return entries;
  }
}

/** The default group of all clauses. */
export const GROUP: GroupRef = { stream: 'chat', group: 'room-1' };

/** Returns a clause that runs on a new store. The store is closed and its data removed afterwards. */
export function clause(title: string, run: (open: OpenStore, factory: StoreFactory) => Promise<void>, persistent = false): StoreClause {
  return {
    title,
    persistent,
    run: async (factory) => {
      const open = await OpenStore.start(await factory.create(Date.now));
      try {
        await run(open, factory);
      } finally {
        await open.store.close();
        await factory.dispose();
      }
    },
  };
}
