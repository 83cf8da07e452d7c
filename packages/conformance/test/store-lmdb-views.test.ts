import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { GROUP, OpenStore } from '../src/store-contract-factory.js';
import { lmdbFactory } from './harness/store-factories.js';

const BIG = { stream: 'chat', group: 'big' };
const ITEMS = 300;
/** More than the views that are held at a time, and more than the 126 places of LMDB's default. */
const READERS = 520;
const BOUND = 512;

async function openStore() {
  const factory = lmdbFactory();
  const opened = await OpenStore.start(await factory.create(Date.now));
  onTestFinished(async () => {
    await opened.store.close();
    await factory.dispose();
  });
  await Promise.all(Array.from({ length: ITEMS }, (_, n) => opened.set(`i${n}`, String(n), BIG)));
  return { factory, opened };
}

/** Each at a version of its own, so that no two share a view. */
async function openMany(opened: OpenStore, count: number) {
  const resolved: number[] = [];
  const snapshots = [];
  for (let n = 0; n < count; n++) {
    snapshots.push(
      opened.store.snapshot(BIG).then((snapshot) => {
        resolved.push(n);
        return snapshot;
      }),
    );
    await opened.set('i0', String(n), BIG);
  }
  return { snapshots, resolved };
}

test('more snapshots of a large group than views: writes go on, the rest wait in line and go on when one closes', async () => {
  const { opened } = await openStore();
  const { snapshots, resolved } = await openMany(opened, READERS);
  expect(resolved).toHaveLength(BOUND);
  const { position: since } = opened.commits[0] as (typeof opened.commits)[0];
  const changes = opened.store.changes(BIG, since);
  expect(await opened.value('i0', BIG)).toBe(String(READERS - 1));
  expect((await opened.items(GROUP)).items).toEqual([]);
  for (const [n, snapshot] of snapshots.entries()) {
    const read = await snapshot;
    // A reader may close before it has read anything, in the middle, or at the end.
    let items = 0;
    let later = 0;
    if (n % 3 > 0) {
      for await (const chunk of read.chunks()) {
        items += chunk.length;
        later += chunk.filter((item) => item.changed > read.position.offset).length;
        if (n % 3 === 1) break;
      }
    }
    expect(items).toBe([0, 256, ITEMS][n % 3]);
    expect(later).toBe(0);
    read.close();
  }
  expect(resolved).toEqual(Array.from({ length: READERS }, (_, n) => n));
  const read = await changes;
  if (read.kind === 'stale') throw new Error('stale');
  let entries = 0;
  for await (const chunk of read.chunks()) entries += chunk.length;
  expect(entries).toBe(ITEMS);
  await opened.set('after', '1');
});

test('a store that closes ends the reads that hold a view and those that wait for one', async () => {
  const { factory, opened } = await openStore();
  const { snapshots } = await openMany(opened, BOUND + 3);
  const first = await (snapshots[0] as (typeof snapshots)[0]);
  const chunks = first.chunks()[Symbol.asyncIterator]();
  expect((await chunks.next()).value).toHaveLength(256);
  const waiting = Promise.allSettled(snapshots.slice(BOUND));
  await opened.store.close();
  const ended = { status: 'rejected', reason: { code: 'STORE_UNAVAILABLE' } };
  expect(await waiting).toMatchObject([ended, ended, ended]);
  await expect(chunks.next()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  first.close();
  const again = await OpenStore.start(await factory.reopen(Date.now));
  expect((await again.items(BIG)).items).toHaveLength(ITEMS);
  await again.store.close();
});

test('when no view can be opened a write fails and may be repeated; the store is not read-only', async () => {
  const { factory, opened } = await openStore();
  const hog = spawn(process.execPath, [fileURLToPath(new URL('./harness/lmdb-view-hog.mjs', import.meta.url)), factory.directory()], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [taken] = (await once(hog.stdout, 'data')) as [Buffer];
  expect(Number(taken.toString())).toBeGreaterThan(BOUND);
  await expect(opened.value('i0', BIG)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await expect(opened.set('m', '1')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  hog.kill('SIGKILL');
  await once(hog, 'close');
  await opened.set('m', '2');
  expect(await opened.value('m')).toBe('2');
});

test('another process sees that the readers of this one live, so it gives their places to nobody', async () => {
  const { opened } = await openStore();
  const { store } = opened;
  const snapshot = await store.snapshot(BIG);
  const held = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`POSIX  ADVISORY  WRITE ${process.pid} `));
  // LMDB locks the byte of its lock file whose number is the pid.
  expect(held.some((line) => line.endsWith(` ${process.pid} ${process.pid}`))).toBe(true);
  snapshot.close();
});
