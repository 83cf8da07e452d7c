import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type DirectoryLock, LockLostError, takeDirectoryLock } from '../../src/store/lmdb/env/directory-lock.js';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';
import { MarkerRecord } from '../../src/store/lmdb/env/store-marker.js';
import { createLmdbStore } from '../../src/store/lmdb/lmdb-store.js';
import { DEFAULT_LOG } from '../../src/store/lmdb/log/commit-log.js';
import type { WritableStore } from '../../src/store/store.js';

const ref = { stream: 's', group: 'g' };

/** Opens a store and removes its lock, as an operator might do by mistake. `next` has the directory then. */
async function lostStore() {
  const path = directoryWith();
  const events: string[] = [];
  const note = (event: string) => events.push(event);
  let resolveLost = () => {};
  const lost = new Promise<void>((resolve) => {
    resolveLost = resolve;
  });
  const store: WritableStore = createLmdbStore({
    path,
    durability: 'commit',
    saveIntervalMs: 1_000,
    tombstoneRetentionMs: 1_000,
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: { debug: () => {}, info: () => {}, warn: note, error: note },
  });
  await store.start({
    onCommit: () => {},
    onBreak: () => {},
    onAvailability: (group, available) => note(`${group === undefined ? 'store' : 'group'} ${available ? 'available' : 'unavailable'}`),
    onLost: () => {
      note('lost');
      resolveLost();
    },
  });
  await store.apply({ kind: 'set', ...ref, item: 'i', data: '1' });
  const next = await steal(path);
  return { path, store, next, events, lost };
}

const refusal = { code: 'STORE_UNAVAILABLE', message: 'another engine has taken over the data; connect to that engine' };

test('a store that lost its directory refuses the next write and then everything, and reports it once', async () => {
  const { path, store, next, events } = await lostStore();
  const writes = ['2', '3'].map((data) => store.apply({ kind: 'set', ...ref, item: 'i', data }));
  for (const write of writes) await expect(write).rejects.toMatchObject(refusal);
  await expect(store.apply({ kind: 'event', ...ref, item: undefined, type: 't', data: '1' })).rejects.toMatchObject(refusal);
  await expect(store.get(ref, 'i')).rejects.toMatchObject(refusal);
  expect(events).toEqual(['store_lock_lost', 'store unavailable', 'lost']);
  await store.close();
  expect(next.isHeld).toBe(true);
  next.release();
  expect(readdirSync(path).filter((name) => name.startsWith('rivulet-store.lock'))).toEqual([]);
});

test('a store that writes nothing notices too that it lost its directory', async () => {
  const { store, next, events, lost } = await lostStore();
  await lost;
  expect(events).toEqual(['store_lock_lost', 'store unavailable', 'lost']);
  await expect(store.get(ref, 'i')).rejects.toMatchObject(refusal);
  await store.close();
  expect(next.isHeld).toBe(true);
  next.release();
});

/** Takes the directory of an engine that holds it, as after an operator has removed its lock. */
async function steal(path: string): Promise<DirectoryLock> {
  for (const name of readdirSync(path)) if (name.startsWith('rivulet-store.lock')) rmSync(join(path, name));
  return await takeDirectoryLock(path);
}

/** Returns a closed store, and a way to open it with a step at which another process takes its directory. */
async function closedStore(isLogged = true) {
  const path = directoryWith();
  const open = (preflight?: () => Promise<void>) =>
    LmdbEnvironment.open({ path, relaxed: false, ...(isLogged && { log: DEFAULT_LOG }), tables: ['t'], ...(preflight && { preflight }) });
  await (await open()).close(() => {});
  const content = () => ['data.mdb', 'rivulet-store.json'].map((name) => readFileSync(join(path, name), 'utf8'));
  return { path, open, content };
}

test.each([true, false])('a start that loses its directory during the check writes nothing into it (with a log: %s)', async (isLogged) => {
  const { path, open, content } = await closedStore(isLogged);
  const before = content();
  let next: DirectoryLock | undefined;
  const start = open(async () => {
    next = await steal(path);
  });
  await expect(start).rejects.toThrow(LockLostError);
  expect(content()).toEqual(before);
  expect(readdirSync(path).filter((name) => /checkpoint/.test(name))).toEqual([]);
  expect(next?.isHeld).toBe(true);
  next?.release();
});

test('a start that loses its directory at its end leaves the log of the next owner', async () => {
  const { path, open } = await closedStore();
  const log = join(path, 'rivulet-log-0123456789abcdef-0');
  let next: Promise<DirectoryLock> | undefined;
  const opened = Reflect.get(MarkerRecord.prototype, 'opened') as MarkerRecord['opened'];
  const spy = vi.spyOn(MarkerRecord.prototype, 'opened').mockImplementation(function (this: MarkerRecord, marker, checked) {
    opened.call(this, marker, checked);
    next = steal(path);
    writeFileSync(log, 'records');
  });
  onTestFinished(() => spy.mockRestore());
  await expect(open()).rejects.toThrow(LockLostError);
  expect(readFileSync(log, 'utf8')).toBe('records');
  const lock = await next;
  expect(lock?.isHeld).toBe(true);
  lock?.release();
});
