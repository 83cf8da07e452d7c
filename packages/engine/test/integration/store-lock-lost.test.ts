import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { expect, test } from 'vitest';
import { takeDirectoryLock } from '../../src/store/lmdb/env/directory-lock.js';
import { createLmdbStore } from '../../src/store/lmdb/lmdb-store.js';
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
  for (const name of readdirSync(path)) if (name.startsWith('rivulet-store.lock')) rmSync(join(path, name));
  const next = await takeDirectoryLock(path);
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
