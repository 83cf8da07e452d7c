import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { diskSpace } from '../../src/store/lmdb/env/free-space.js';
import { CHANGE_BYTES, DiskBudget } from '../../src/store/lmdb/writing/disk-space.js';

/** Returns a budget whose watermark is `above` the free space. A negative number means plenty of space. */
function budgetWith(above: number, reusable = 0, ballastBytes = 0) {
  const path = mkdtempSync(join(tmpdir(), 'rivulet-room-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const minFreeBytes = (diskSpace(path)?.freeBytes ?? 0) + above;
  const limits = { minFreeBytes, minFreePercent: 0, ballastBytes };
  const disk = new DiskBudget({ path, limits, reusableBytes: () => reusable, monotonic: () => performance.now(), logger: silentLogger });
  onTestFinished(() => disk.close());
  return { path, disk };
}

/** More bytes than other tests use or free meanwhile. */
const FAR = 2 ** 30;

test('F6 a store is full below the watermark, unless its own file holds enough that is free', () => {
  expect(budgetWith(-FAR).disk.full).toBe(false);
  expect(budgetWith(FAR).disk.full).toBe(true);
  expect(budgetWith(FAR, 4 * FAR).disk.full).toBe(false);
});

test('F6 a transaction may add a third of what is free, less what was spent since the last look', () => {
  const { disk } = budgetWith(-8 * FAR);
  const before = disk.forNext();
  expect(before).toBeGreaterThan(CHANGE_BYTES);
  disk.spend(FAR);
  expect(disk.forNext()).toBeLessThan(before - FAR / 4);
});

test('F6 the ballast is laid while there is room, and found again by the next run', async () => {
  const bytes = 3_000_000;
  const { disk, path } = budgetWith(-FAR / 2, 0, bytes);
  await disk.prepare();
  expect(statSync(join(path, 'rivulet-ballast')).size).toBe(bytes);
  expect(statSync(join(path, 'rivulet-ballast')).mode & 0o777).toBe(0o600);
});

test('F6 no ballast is laid on a disk that is nearly full', async () => {
  const { disk, path } = budgetWith(FAR, 0, 1_000_000);
  disk.tick();
  await disk.prepare();
  expect(existsSync(join(path, 'rivulet-ballast'))).toBe(false);
});
