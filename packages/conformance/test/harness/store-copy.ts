import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@rivulet/engine/parts';
import type { GroupRef } from '@rivulet/engine/store';
import { createLmdbStore } from '@rivulet/engine/stores';

export interface CopiedGroup {
  readonly epoch: string;
  /** The value of each item, and the offset of its last change. */
  readonly items: ReadonlyMap<string, { readonly data: string; readonly changed: number }>;
}

/** Reads groups from a copy of the store in `directory`. Its engine does not run, and the store itself stays as it is. */
export async function readCopy(directory: string, groups: readonly GroupRef[]): Promise<readonly CopiedGroup[]> {
  const path = await mkdtemp(join(tmpdir(), 'rivulet-copy-'));
  // The checkpoint and the log belong to the data file when its engine was killed or has failed.
  await cp(directory, path, { recursive: true, filter: (file) => !/rivulet-store\.lock|\.sock$/.test(file) });
  const store = createLmdbStore({
    path,
    durability: 'commit',
    saveIntervalMs: 1_000,
    tombstoneRetentionMs: 86_400_000,
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: silentLogger,
  });
  try {
    await store.start({ onCommit() {}, onBreak() {} });
    const read: CopiedGroup[] = [];
    for (const group of groups) {
      const snapshot = await store.snapshot(group);
      const items = new Map<string, { data: string; changed: number }>();
      for await (const chunk of snapshot.chunks()) for (const { item, data, changed } of chunk) items.set(item, { data, changed });
      read.push({ epoch: snapshot.position.epoch, items });
      snapshot.close();
    }
    return read;
  } finally {
    await store.close();
    await rm(path, { recursive: true, force: true });
  }
}
