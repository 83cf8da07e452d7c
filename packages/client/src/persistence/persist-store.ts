/** One item as it is kept. */
export interface PersistedItem {
  readonly id: string;
  readonly created: number;
  readonly offset: number;
  /** JSON. */
  readonly text: string;
}

/** What is kept of one target beside its items. */
export interface PersistedHead {
  /** Of this layout; a record of another one is dropped. */
  readonly version: number;
  /** Who writes: one of several pages with the same target. */
  readonly writer: string;
  readonly epoch: string;
  readonly offset: number;
  /** Unix milliseconds. */
  readonly savedAt: number;
}

export interface PersistBatch {
  readonly head: PersistedHead;
  /** Replaces everything that is kept of the target; otherwise it is the difference to what this writer saved last. */
  readonly whole: boolean;
  readonly puts: readonly PersistedItem[];
  readonly removes: readonly string[];
}

/**
 * Keeps a copy of what views show, so that a page that is loaded again continues from it. What it answers is checked; a store that fails, lies
 * or forgets costs a `sync`, nothing else. Calls for one key come one after another.
 */
export interface PersistStore {
  /** `undefined` when nothing is kept under the key. */
  load(key: string): Promise<{ readonly head: unknown; readonly items: readonly unknown[] } | undefined>;
  /**
   * In one step, or not at all. Answers false, and does nothing, when `mayWrite` says so of the head that is kept: another page keeps this
   * target.
   */
  save(key: string, batch: PersistBatch, mayWrite: (kept: unknown) => boolean): Promise<boolean>;
  discard(key: string): Promise<void>;
}
