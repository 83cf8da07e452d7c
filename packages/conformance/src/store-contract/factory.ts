import type { Change, ChangeEntry, Commit, GroupRef, StoredItem, StreamStore } from '@rivulet/engine/store';
import type { JsonText, Position } from '@rivulet/protocol';

/** How the suite gets stores. `now` is the clock that the store must use for timestamps, in Unix milliseconds. */
export interface StoreFactory {
  /** Whether `reopen` finds what was written. */
  readonly persistent: boolean;
  /** A new, empty store that is not started yet. */
  create(now: () => number): Promise<StreamStore>;
  /** Closes nothing by itself: the suite has closed the last store. Opens the same data again; only for persistent stores. */
  reopen(now: () => number): Promise<StreamStore>;
  /** Removes what `create` made. */
  dispose(): Promise<void>;
}

export interface StoreClause {
  readonly title: string;
  /** Only stores that keep their data across a restart are asked. */
  readonly persistent: boolean;
  run(factory: StoreFactory): Promise<void>;
}

/** A started store with everything it reported. */
export class OpenStore {
  readonly store: StreamStore;
  readonly commits: Commit[] = [];
  readonly breaks: string[] = [];
  /** Runs inside `onCommit`. */
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

  /** `stale`, or the entries. */
  async changes(since: Position, ref: GroupRef = GROUP): Promise<'stale' | ChangeEntry[]> {
    const changes = await this.store.changes(ref, since);
    if (changes.kind === 'stale') return 'stale';
    const entries: ChangeEntry[] = [];
    for await (const chunk of changes.chunks()) entries.push(...chunk);
    changes.close();
    return entries;
  }
}

/** The group that clauses write to unless they say otherwise. */
export const GROUP: GroupRef = { stream: 'chat', group: 'room-1' };

/** A clause over one fresh store, closed and removed afterwards. */
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
