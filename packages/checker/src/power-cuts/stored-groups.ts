import { createHash } from 'node:crypto';
import { createLmdbStore } from '@rivulet/engine/stores';

export type Store = ReturnType<typeof createLmdbStore>;
export type Durability = 'commit' | 'relaxed';

/** The stores of an engine; each has a directory of its own. */
export const STORES = ['stream_store', 'state_store'] as const;
export type StoreName = (typeof STORES)[number];

export const STREAM = 'cuts';
export const GROUPS = ['g0', 'g1', 'g2', 'feed'] as const;
/** The only group with events. A restart may skip offsets of such a group. */
export const FEED = 'feed';

/** An item or, without a hash, the tombstone of one. */
export interface StoredEntry {
  readonly item: string;
  readonly created: number;
  readonly changed: number;
  /** Identifies the value. */
  readonly hash?: string | undefined;
}

export interface StoredGroup {
  readonly epoch: string;
  readonly offset: number;
  /** Items and tombstones in the order of their last change. */
  readonly entries: readonly StoredEntry[];
}

export const hashOf = (data: string): string => createHash('sha1').update(data).digest('base64url').slice(0, 12);

const silent = () => {};

/** Bounds with which each process changes the files of its log and saves checkpoints many times. */
export const SMALL_LOG = { fileBytes: 32_768, chunkBytes: 4_096, recordBytes: 12_288, checkpointBytes: 262_144 };

export interface StoredOptions {
  readonly now: () => number;
  readonly log: (event: string) => void;
  /** @default that of the store */
  readonly limits?: typeof SMALL_LOG | undefined;
}

/** Opens a store without ballast, so that a recording has the writes of the data only. */
export function storeIn(path: string, durability: Durability, { now, log, limits }: StoredOptions): Store {
  return createLmdbStore({
    path,
    durability,
    saveIntervalMs: 100,
    preflight: 'inline',
    ...(limits === undefined ? {} : { log: limits }),
    tombstoneRetentionMs: 604_800_000,
    space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
    clock: { now, monotonic: () => performance.now() },
    logger: { debug: silent, info: silent, warn: log, error: log },
  });
}

/**
 * Reads a group in both ways that the store has, as a snapshot and as changes since the beginning. Throws when they differ.
 */
export async function readGroup(store: Store, group: string): Promise<StoredGroup> {
  const ref = { stream: STREAM, group };
  const snapshot = await store.snapshot(ref);
  const { epoch, offset } = snapshot.position;
  const shown: StoredEntry[] = [];
  for await (const chunk of snapshot.chunks())
    for (const { item, data, created, changed } of chunk) shown.push({ item, created, changed, hash: hashOf(data) });
  snapshot.close();
  const changes = await store.changes(ref, { epoch, offset: 0 });
  if (changes.kind === 'stale') throw new Error(`${group}: the history does not go back to its beginning: ${changes.reason}`);
  const entries: StoredEntry[] = [];
  for await (const chunk of changes.chunks()) {
    for (const entry of chunk) {
      const { item, created, changed } = entry;
      entries.push({ item, created, changed, ...(entry.kind === 'item' ? { hash: hashOf(entry.data) } : {}) });
    }
  }
  changes.close();
  const live = entries.filter(({ hash }) => hash !== undefined).sort((a, b) => a.created - b.created);
  if (JSON.stringify(live) !== JSON.stringify(shown))
    throw new Error(`${group}: snapshot and changes differ: ${JSON.stringify({ shown, live })}`);
  return { epoch, offset, entries };
}

export async function readGroups(store: Store): Promise<Readonly<Record<string, StoredGroup>>> {
  const groups: Record<string, StoredGroup> = {};
  for (const group of GROUPS) groups[group] = await readGroup(store, group);
  for (const group of await store.groups(STREAM)) if (!Object.hasOwn(groups, group)) throw new Error(`there must be no group ${group}`);
  return groups;
}
