import type * as Files from 'node:fs';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type * as FilePromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';

/** Faults of the disk. The mock calls each one before the real function. */
const faults = vi.hoisted(() => ({
  fsyncSync: undefined as ((path: string) => void) | undefined,
  fdatasync: undefined as (() => Error) | undefined,
  openAsync: undefined as ((path: string) => Promise<void>) | undefined,
}));
vi.mock('node:fs', async (original) => {
  const fs = (await original()) as typeof Files;
  return {
    ...fs,
    fsyncSync: (descriptor: number) => {
      faults.fsyncSync?.(fs.readlinkSync(`/proc/self/fd/${descriptor}`));
      fs.fsyncSync(descriptor);
    },
    fdatasync: (descriptor: number, callback: (error: Error | null) => void) => {
      if (faults.fdatasync === undefined) fs.fdatasync(descriptor, callback);
      else callback(faults.fdatasync());
    },
  };
});
vi.mock('node:fs/promises', async (original) => {
  const fs = (await original()) as typeof FilePromises;
  return {
    ...fs,
    open: async (path: string, flags: string, mode: number) => {
      await faults.openAsync?.(path);
      return await fs.open(path, flags, mode);
    },
  };
});

import { LmdbEnvironment, type LmdbEnvironmentOptions } from '../../src/store/lmdb/env/environment.js';
import { DEFAULT_LOG } from '../../src/store/lmdb/log/commit-log.js';

const CHECKPOINT = 'rivulet-checkpoint.json';
const folder = mkdtempSync(join(tmpdir(), 'rivulet-log-faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => Object.assign(faults, { fsyncSync: undefined, fdatasync: undefined, openAsync: undefined }));

const failure = (code: 'EIO' | 'ENOSPC') => Object.assign(new Error(`${code}: a fault of the test`), { code });
const directory = () => mkdtempSync(join(folder, 'store-'));
const open = (path: string, options: Partial<LmdbEnvironmentOptions> = {}) =>
  LmdbEnvironment.open({ path, relaxed: false, log: DEFAULT_LOG, tables: ['t'], ...options });
const put = (environment: LmdbEnvironment, key: string, value = Buffer.from('v')) =>
  environment.transaction(() => environment.table('t').put(Buffer.from(key), value));
/** Returns which of the keys are there. */
const present = (environment: LmdbEnvironment, ...keys: string[]) =>
  keys.filter((key) => environment.table('t').get(Buffer.from(key), { transaction: environment.readView() }) !== undefined);

/** Returns a copy of a directory as a kill leaves it, or as a power cut does when the page cache was just saved. */
function copyOf(path: string, end: 'kill' | 'power cut'): string {
  const copy = directory();
  cpSync(path, copy, { recursive: true, filter: (file) => !/rivulet-store\.(?:lock|sock)|\.new$/.test(file) });
  const file = join(copy, CHECKPOINT);
  if (end === 'power cut') writeFileSync(file, readFileSync(file, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
  return copy;
}

/** Fails one sync of a data file, the n-th from now. */
function failDataSync(n: number): void {
  let count = 0;
  faults.fsyncSync = (path) => {
    if (path.endsWith('data.mdb') && ++count === n) throw failure('EIO');
  };
}

test('a start after a power cut that fails before it applies the log keeps the log', async () => {
  const path = directory();
  const environment = await open(path);
  for (const key of ['a', 'b']) await put(environment, key);
  const copy = copyOf(path, 'power cut');
  failDataSync(2);
  await expect(open(copy)).rejects.toThrow('EIO');
  faults.fsyncSync = undefined;
  expect(present(await open(copy), 'a', 'b')).toEqual(['a', 'b']);
});

test('after a failed sync of a start, the next start does not trust the page cache', async () => {
  const path = directory();
  const environment = await open(path);
  await put(environment, 'a');
  const copy = copyOf(path, 'kill');
  failDataSync(1);
  await expect(open(copy)).rejects.toThrow('EIO');
  faults.fsyncSync = undefined;
  const again = await open(copy);
  expect(again.leftover.kind).toBe('restored');
  expect(present(again, 'a')).toEqual(['a']);
});

test('a data file that lacks transactions of the log is put back in the same boot too', async () => {
  const path = directory();
  const environment = await open(path);
  await put(environment, 'a');
  const older = copyOf(path, 'kill');
  for (const key of ['b', 'c']) await put(environment, key);
  const copy = copyOf(path, 'kill');
  cpSync(join(older, 'data.mdb'), join(copy, 'data.mdb'));
  expect(present(await open(copy), 'a', 'b', 'c')).toEqual(['a', 'b', 'c']);
});

test('a write whose log failed is not in the checkpoint that was on its way', async () => {
  const path = directory();
  const environment = await open(path);
  await put(environment, 'kept');
  let isReached = () => {};
  const reached = new Promise<void>((resolve) => {
    isReached = resolve;
  });
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  faults.openAsync = async (file) => {
    if (!file.endsWith(`${CHECKPOINT}.new`)) return;
    isReached();
    await released;
  };
  const checkpoint = environment.checkpoint();
  await reached;
  faults.fdatasync = () => failure('EIO');
  await expect(put(environment, 'refused')).rejects.toThrow('EIO');
  release();
  await checkpoint;
  expect(present(await open(copyOf(path, 'kill')), 'kept', 'refused')).toEqual(['kept']);
});

test('a write that neither the log nor a full disk could take does not come back', async () => {
  const path = directory();
  const log = { fileBytes: 16_384, chunkBytes: 4_096, recordBytes: 8_192, checkpointBytes: 2 ** 40 };
  const environment = await open(path, { log });
  await put(environment, 'kept');
  faults.openAsync = async (file) => {
    if (file.endsWith(`${CHECKPOINT}.new`)) throw failure('ENOSPC');
  };
  await expect(put(environment, 'refused', Buffer.alloc(20_000, 1))).rejects.toThrow('ENOSPC');
  expect(present(await open(copyOf(path, 'kill')), 'kept', 'refused')).toEqual(['kept']);
});

test('an environment that failed takes no transaction, and reads never see the refused one', async () => {
  const environment = await open(directory());
  await put(environment, 'kept');
  faults.fdatasync = () => failure('EIO');
  await expect(put(environment, 'refused')).rejects.toThrow('EIO');
  faults.fdatasync = undefined;
  await expect(put(environment, 'later')).rejects.toThrow('the environment has failed');
  expect(present(environment, 'kept', 'refused', 'later')).toEqual(['kept']);
});

test('a release with a new table applies the whole log of the release before', async () => {
  const path = directory();
  const environment = await open(path);
  for (const key of ['a', 'b', 'c']) await put(environment, key);
  expect(present(await open(copyOf(path, 'power cut'), { tables: ['t', 'u'] }), 'a', 'b', 'c')).toEqual(['a', 'b', 'c']);
});
