import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import type * as freeSpace from '../../src/store/lmdb/env/free-space.js';
import { DEFAULT_SPACE, DiskBudget } from '../../src/store/lmdb/writing/disk-space.js';

/** How long a disk may be full before `/ready` says so. */
const BOUND_MS = 1_000;

/** The disk of the store. The test decides how much of it is free. */
const disk = vi.hoisted(() => ({ freeBytes: 0, totalBytes: 2 ** 40, looks: 0 }));

vi.mock('../../src/store/lmdb/env/free-space.js', async (original) => ({
  ...(await original<typeof freeSpace>()),
  diskSpace: () => {
    disk.looks++;
    return { freeBytes: disk.freeBytes, totalBytes: disk.totalBytes };
  },
}));

/** Returns a budget over a disk with plenty of space, and its clock. `/ready` and `/metrics` read `room` and then `full`. */
function budget() {
  disk.freeBytes = disk.totalBytes;
  let now = 0;
  const limits = { ...DEFAULT_SPACE, ballastBytes: 0 };
  const store = new DiskBudget({ path: '/', limits, reusableBytes: () => 0, monotonic: () => now, logger: silentLogger });
  onTestFinished(() => store.close());
  return {
    isFullAt: (milliseconds: number) => {
      now = milliseconds;
      return store.room.freeBytes !== undefined && store.full;
    },
  };
}

test('a full disk shows within 1 s without any write, and so does its end', () => {
  const { isFullAt } = budget();
  expect(isFullAt(10_000)).toBe(false);
  disk.freeBytes = 0;
  expect(isFullAt(10_000 + BOUND_MS)).toBe(true);
  disk.freeBytes = disk.totalBytes;
  expect(isFullAt(10_000 + 2 * BOUND_MS)).toBe(false);
});

test('probes at the same time look at the disk once', () => {
  const { isFullAt } = budget();
  isFullAt(10_000);
  const before = disk.looks;
  for (let probe = 0; probe < 1_000; probe++) isFullAt(10_000);
  expect(disk.looks).toBe(before);
});
