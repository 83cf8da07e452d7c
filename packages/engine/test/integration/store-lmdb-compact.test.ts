import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Logger } from '../../src/logging/logger.js';
import { type CompactionLimits, compactAndClose } from '../../src/store/lmdb/copying/compact.js';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';
import { createLmdbStore } from '../../src/store/lmdb/lmdb-store.js';
import { TABLES } from '../../src/store/lmdb/tables/tables.js';
import type { StoredItem, WritableStore } from '../../src/store/store.js';
import { systemClock } from '../../src/structures/clock.js';

const GROUP = { stream: 's', group: 'g' };
const SMALL: CompactionLimits = { leastFileBytes: 0, mostUsedBytes: 1_073_741_824 };
const ITEMS = 400;

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'rivulet-compact-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function recorder(): { readonly events: string[]; readonly logger: Logger } {
  const events: string[] = [];
  const note = (event: string) => {
    events.push(event);
  };
  return { events, logger: { trace: note, debug: note, info: note, warn: note, error: note } as unknown as Logger };
}

async function open(path: string, compaction: CompactionLimits | false, logger: Logger = recorder().logger): Promise<WritableStore> {
  const space = { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 };
  const store = createLmdbStore({
    path,
    durability: 'commit',
    saveIntervalMs: 1_000,
    tombstoneRetentionMs: 60_000,
    clock: systemClock,
    logger,
    compaction,
    space,
  });
  await store.start({ onCommit: () => {}, onBreak: () => {} });
  return store;
}

async function itemsOf(store: WritableStore): Promise<readonly StoredItem[]> {
  const snapshot = await store.snapshot(GROUP);
  const items: StoredItem[] = [];
  for await (const chunk of snapshot.chunks()) items.push(...chunk);
  return items;
}

/** Returns a closed store whose data file is mostly free, and the items that are left. */
async function sparse(): Promise<{ readonly path: string; readonly left: readonly StoredItem[] }> {
  const path = directory();
  const store = await open(path, false);
  const set = (item: number) => store.apply({ kind: 'set', ...GROUP, item: `i${item}`, data: JSON.stringify('x'.repeat(10_000)) });
  await Promise.all(Array.from({ length: ITEMS }, (_, item) => set(item)));
  const others = Array.from({ length: ITEMS }, (_, item) => item).filter((item) => item % 10 !== 0);
  await Promise.all(others.map((item) => store.apply({ kind: 'delete', ...GROUP, item: `i${item}` })));
  const left = await itemsOf(store);
  await store.close();
  return { path, left };
}

const sizeOf = (path: string) => statSync(join(path, 'data.mdb')).size;

test('K6 a start gives the space of a mostly free file back, and keeps every item, its order and its versions', async () => {
  const { path, left } = await sparse();
  const before = sizeOf(path);
  const { events, logger } = recorder();
  const store = await open(path, SMALL, logger);
  expect(events).toContain('store_compacted');
  expect(sizeOf(path)).toBeLessThan(before / 2);
  expect(await itemsOf(store)).toEqual(left);
  await store.apply({ kind: 'set', ...GROUP, item: 'new', data: '1' });
  await store.close();
  const again = recorder();
  const reopened = await open(path, SMALL, again.logger);
  expect(again.events).not.toContain('store_compacted');
  expect(await itemsOf(reopened)).toHaveLength(left.length + 1);
  await reopened.close();
});

test.each<[string, CompactionLimits | false]>([
  ['it is turned off', false],
  ['the file is small', { ...SMALL, leastFileBytes: 1_073_741_824 }],
  ['much is in use', { ...SMALL, mostUsedBytes: 1 }],
])('K6 a start leaves the file as it is when %s', async (_when, limits) => {
  const { path, left } = await sparse();
  const before = sizeOf(path);
  const store = await open(path, limits);
  expect(sizeOf(path)).toBe(before);
  expect(await itemsOf(store)).toEqual(left);
  await store.close();
});

test('K6 a compaction that fails, or was interrupted, leaves the old file', async () => {
  const { path, left } = await sparse();
  // An interrupted compaction leaves this folder, with a part of a file.
  mkdirSync(join(path, 'rivulet-compact'));
  writeFileSync(join(path, 'rivulet-compact/data.mdb'), 'half');
  const environment = await LmdbEnvironment.open({ path, relaxed: false, tables: TABLES });
  environment.readView = () => {
    throw new Error('no view');
  };
  await expect(compactAndClose(environment, path)).rejects.toThrow('no view');
  expect(existsSync(join(path, 'rivulet-compact'))).toBe(false);
  const store = await open(path, false);
  expect(await itemsOf(store)).toEqual(left);
  await store.close();
});
