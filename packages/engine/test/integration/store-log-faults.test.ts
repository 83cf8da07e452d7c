import type * as Files from 'node:fs';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type * as FilePromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, onTestFinished, test, vi } from 'vitest';

/** Faults of the disk. The mock calls each one before the real function. */
const faults = vi.hoisted(() => ({
  fsyncSync: undefined as ((path: string) => void) | undefined,
  fdatasync: undefined as (() => Error | undefined) | undefined,
  writeSync: undefined as ((path: string) => void) | undefined,
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
      const error = faults.fdatasync?.();
      if (error === undefined) fs.fdatasync(descriptor, callback);
      else callback(error);
    },
    writeSync: (descriptor: number, ...content: unknown[]) => {
      faults.writeSync?.(fs.readlinkSync(`/proc/self/fd/${descriptor}`));
      return (fs.writeSync as (...all: unknown[]) => number)(descriptor, ...content);
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

import { OpenStore } from '@rivulet/conformance/store-contract/factory';
import { silentLogger } from '../../src/logging/logger.js';
import { LmdbEnvironment, type LmdbEnvironmentOptions } from '../../src/store/lmdb/env/environment.js';
import { createLmdbStore } from '../../src/store/lmdb/lmdb-store.js';
import { DEFAULT_LOG } from '../../src/store/lmdb/log/commit-log.js';

const CHECKPOINT = 'rivulet-checkpoint.json';
/** The next checkpoint before it is complete. */
const UNFINISHED = /rivulet-checkpoint(?:\.json|-room(?:-[a-z]+)?)\.[\da-f]{16}\.new$/;
const LOG = /rivulet-log-[\da-f]{16}-[01]$/;
const folder = mkdtempSync(join(tmpdir(), 'rivulet-log-faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => Object.assign(faults, { fsyncSync: undefined, fdatasync: undefined, writeSync: undefined, openAsync: undefined }));

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

/** A step that waits until the test releases it. */
function gate(): { readonly released: Promise<void>; readonly release: () => void } {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { released, release };
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
  const { released: reached, release: isReached } = gate();
  const { released, release } = gate();
  faults.openAsync = async (file) => {
    if (!UNFINISHED.test(file)) return;
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
    if (UNFINISHED.test(file)) throw failure('ENOSPC');
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

/** A log that has room for two small transactions. */
const SMALL_LOG = { fileBytes: 1_024, chunkBytes: 512, recordBytes: 1_024, checkpointBytes: 2 ** 40 };

test('a transaction for which a full disk has no room is undone, and succeeds when there is room', async () => {
  const path = directory();
  const environment = await open(path, { log: SMALL_LOG });
  await put(environment, 'a');
  faults.writeSync = (file) => {
    if (LOG.test(file) || UNFINISHED.test(file)) throw failure('ENOSPC');
  };
  for (const key of ['b', 'c'])
    await expect(put(environment, key)).rejects.toMatchObject({ name: 'TransactionAbortedError', cause: { name: 'NoRoomError' } });
  expect(present(environment, 'a', 'b', 'c')).toEqual(['a']);
  const copy = copyOf(path, 'power cut');
  faults.writeSync = undefined;
  expect(present(await open(copy), 'a', 'b', 'c')).toEqual(['a']);
  for (const key of ['d', 'e', 'f', 'g']) await put(environment, key);
  expect(present(await open(copyOf(path, 'power cut')), 'a', 'b', 'c', 'd', 'e', 'f', 'g')).toEqual(['a', 'd', 'e', 'f', 'g']);
});

test('a checkpoint that was forced uses the room that its transaction got before', async () => {
  const path = directory();
  const environment = await open(path, { log: SMALL_LOG });
  const reserved: string[] = [];
  faults.writeSync = (file) => {
    if (UNFINISHED.test(file)) reserved.push(file);
  };
  const synced: number[] = [];
  faults.fdatasync = () => {
    synced.push(reserved.length);
    return undefined;
  };
  await put(environment, 'large', Buffer.alloc(4_000, 1));
  expect({ reserved: reserved.length, synced }).toEqual({ reserved: 1, synced: [] });
  expect(readdirSync(path).filter((name) => name.endsWith('.new'))).toEqual([]);
  expect(readFileSync(join(path, CHECKPOINT), 'utf8')).toMatch(/^\{[^\0]*\}\n$/);
  expect(present(await open(copyOf(path, 'power cut')), 'large')).toEqual(['large']);
});

/**
 * Opens an environment whose next transaction begins a checkpoint. The checkpoint has room on the disk already: the log had none for `b`
 * when the transaction got its room, and had some when it was written.
 */
async function openWithRoom(path: string): Promise<LmdbEnvironment> {
  const environment = await open(path, { log: SMALL_LOG });
  await put(environment, 'a');
  faults.writeSync = (file) => {
    if (!LOG.test(file)) return;
    faults.writeSync = undefined;
    throw failure('ENOSPC');
  };
  await put(environment, 'b');
  expect(unfinishedIn(path)).toHaveLength(1);
  return environment;
}
const unfinishedIn = (path: string) => readdirSync(path).filter((name) => UNFINISHED.test(name));

/** Refuses new files and more room, as a full disk does. Files that have room already can be written. */
function fillDisk(path: string): void {
  const before = unfinishedIn(path);
  const isNew = (file: string) => LOG.test(file) || (UNFINISHED.test(file) && !before.some((name) => file.endsWith(name)));
  const fail = (file: string) => {
    if (isNew(file)) throw failure('ENOSPC');
  };
  const { openAsync } = faults;
  Object.assign(faults, {
    writeSync: fail,
    openAsync: async (file: string) => {
      fail(file);
      await openAsync?.(file);
    },
  });
}
const noRoom = { name: 'TransactionAbortedError', cause: { name: 'NoRoomError' } };

test('a transaction does not count on the room of a checkpoint that runs', async () => {
  const path = directory();
  const environment = await openWithRoom(path);
  const { released, release } = gate();
  faults.openAsync = () => released;
  fillDisk(path);
  const refused = put(environment, 'c');
  release();
  await expect(refused).rejects.toMatchObject(noRoom);
  expect(await environment.checkpoint()).toBe(undefined);
  expect(unfinishedIn(path)).toEqual([]);
  Object.assign(faults, { writeSync: undefined, openAsync: undefined });
  for (const key of ['d', 'e']) await put(environment, key);
  expect(present(await open(copyOf(path, 'power cut')), 'a', 'b', 'c', 'd', 'e')).toEqual(['a', 'b', 'd', 'e']);
});

test('a transaction gets room of its own while a checkpoint runs, and the checkpoint after it uses that', async () => {
  const path = directory();
  const environment = await openWithRoom(path);
  const { released, release } = gate();
  faults.openAsync = () => released;
  const written = put(environment, 'large', Buffer.alloc(4_000, 1));
  expect(new Set(unfinishedIn(path)).size).toBe(2);
  fillDisk(path);
  release();
  await written;
  Object.assign(faults, { writeSync: undefined, openAsync: undefined });
  expect(unfinishedIn(path)).toEqual([]);
  expect(present(await open(copyOf(path, 'power cut')), 'a', 'b', 'large')).toEqual(['a', 'b', 'large']);
});

test('a transaction does not count on the room of a checkpoint that has its name, and is not on the disk', async () => {
  const path = directory();
  const environment = await openWithRoom(path);
  faults.openAsync = async (file) => {
    if (file === path) throw failure('EIO');
  };
  expect(await environment.checkpoint()).toMatchObject({ code: 'EIO' });
  fillDisk(path);
  await expect(put(environment, 'large', Buffer.alloc(4_000, 1))).rejects.toMatchObject(noRoom);
  Object.assign(faults, { writeSync: undefined, openAsync: undefined });
  await put(environment, 'c');
  expect(present(await open(copyOf(path, 'power cut')), 'a', 'b', 'large', 'c')).toEqual(['a', 'b', 'c']);
});

test('a checkpoint that fails gives its room back', async () => {
  const path = directory();
  const environment = await openWithRoom(path);
  faults.openAsync = () => Promise.reject(failure('EIO'));
  expect(await environment.checkpoint()).toMatchObject({ code: 'EIO' });
  faults.openAsync = undefined;
  expect(unfinishedIn(path)).toHaveLength(1);
  fillDisk(path);
  await put(environment, 'large', Buffer.alloc(4_000, 1));
  Object.assign(faults, { writeSync: undefined, openAsync: undefined });
  expect(present(await open(copyOf(path, 'power cut')), 'a', 'b', 'large')).toEqual(['a', 'b', 'large']);
});

test('a clean stop leaves no room of a checkpoint', async () => {
  const path = directory();
  const environment = await openWithRoom(path);
  await environment.checkpoint();
  await environment.close(() => {});
  expect(unfinishedIn(path)).toEqual([]);
});

test('the content of a checkpoint that is not complete has a name of its owner, and the next owner removes it', async () => {
  const path = directory();
  const environment = await open(path);
  const names: string[] = [];
  faults.openAsync = async (file) => {
    if (file.endsWith('.new')) names.push(file);
  };
  await put(environment, 'a');
  await environment.checkpoint();
  expect(names).toEqual([expect.stringMatching(UNFINISHED)]);
  const copy = copyOf(path, 'kill');
  const litter = [`${CHECKPOINT}.new`, `${CHECKPOINT}.0123456789abcdef.new`, 'rivulet-store.json.0123456789abcdef.new'];
  for (const room of ['rivulet-checkpoint-room', 'rivulet-checkpoint-room-next']) litter.push(`${room}.0123456789abcdef.new`);
  for (const name of litter) writeFileSync(join(copy, name), 'of an earlier owner');
  const other = `${CHECKPOINT}.new.txt`;
  writeFileSync(join(copy, other), 'of somebody else');
  expect(present(await open(copy), 'a')).toEqual(['a']);
  expect(readdirSync(copy).filter((name) => name.includes('.new'))).toEqual([other]);
});

test('a checkpoint of an environment that failed rejects at once, also when it waited for the transaction that failed', async () => {
  const environment = await open(directory());
  await put(environment, 'kept');
  faults.fdatasync = () => failure('EIO');
  const refused = put(environment, 'refused');
  const waited = environment.checkpoint();
  await expect(refused).rejects.toThrow('EIO');
  await expect(waited).rejects.toThrow('the environment has failed');
  await expect(environment.checkpoint()).rejects.toThrow('the environment has failed');
});

test('a store whose disk has no room for the log answers STORE_FULL and takes writes again by itself', async () => {
  const path = directory();
  const store = createLmdbStore({
    path,
    durability: 'commit',
    saveIntervalMs: 3_600_000,
    tombstoneRetentionMs: 3_600_000,
    space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
    log: SMALL_LOG,
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: silentLogger,
  });
  onTestFinished(() => store.close());
  const opened = await OpenStore.start(store);
  await opened.set('a', '1');
  faults.writeSync = (file) => {
    if (LOG.test(file) || UNFINISHED.test(file)) throw failure('ENOSPC');
  };
  faults.openAsync = async (file) => {
    if (UNFINISHED.test(file) && !file.includes('-room')) throw failure('ENOSPC');
  };
  const large = JSON.stringify('x'.repeat(2_000));
  const both = [opened.set('a', large), opened.set('b', large)];
  for (const write of both) await expect(write).rejects.toMatchObject({ code: 'STORE_FULL' });
  Object.assign(faults, { writeSync: undefined, openAsync: undefined });
  await opened.set('b', '2');
  expect([await opened.value('a'), await opened.value('b')]).toEqual(['1', '2']);
  expect(opened.commits).toHaveLength(2);
});
