/** One item as a store keeps it. */
export interface PersistedItem {
  readonly id: string;
  readonly created: number;
  readonly offset: number;
  /** The data as JSON. */
  readonly text: string;
}

/** The record of one target beside its items. */
export interface PersistedHead {
  /** The version of the layout. The client discards a record of another version. */
  readonly version: number;
  /** The page that writes this record. Several pages may show the same target, and one of them writes. */
  readonly writer: string;
  readonly epoch: string;
  readonly offset: number;
  /** The time of the save, in Unix milliseconds. */
  readonly savedAt: number;
}

/** One save of a target. */
export interface PersistBatch {
  readonly head: PersistedHead;
  /** Whether the batch replaces all items of the target. Otherwise it holds the difference to the last save of this writer. */
  readonly whole: boolean;
  readonly puts: readonly PersistedItem[];
  readonly removes: readonly string[];
}

/**
 * Keeps a copy of what views show, so that a page that is loaded again continues from it. The client checks every record. A store that
 * fails, lies or forgets costs a `sync` and nothing else. The client makes the calls for one key one after another.
 */
export interface PersistStore {
  /** Returns the record of a key, or `undefined` if there is none. */
  load(key: string): Promise<{ readonly head: unknown; readonly items: readonly unknown[] } | undefined>;
  /**
   * Saves a batch in one step, or not at all. The store calls `mayWrite` with the head that it keeps. If the answer is false, another page
   * keeps this target: the store saves nothing and returns false.
   */
  save(key: string, batch: PersistBatch, mayWrite: (kept: unknown) => boolean): Promise<boolean>;
  /** Deletes the record of a key. */
  discard(key: string): Promise<void>;
}
