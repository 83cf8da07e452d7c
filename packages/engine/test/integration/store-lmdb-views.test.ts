import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GROUP, OpenStore } from '@rivulet/conformance/store-contract/factory';
import { lmdbFactory } from '@rivulet/testkit/stores/store-factories';
import { expect, onTestFinished, test } from 'vitest';
import type { ViewLimits } from '../../src/store/lmdb/reading/read-views.js';

const BIG = { stream: 'chat', group: 'big' };
const ITEMS = 300;
/** More than the views that may be open at the same time, and more than the default of LMDB, 126. */
const READERS = 520;
const BOUND = 512;

/** Limits that no view reaches. */
const ENDLESS = { milliseconds: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

async function openStore(views: ViewLimits = ENDLESS, monotonic?: () => number) {
  const factory = lmdbFactory('commit', monotonic, views);
  const opened = await OpenStore.start(await factory.create(Date.now));
  onTestFinished(async () => {
    await opened.store.close();
    await factory.dispose();
  });
  await Promise.all(Array.from({ length: ITEMS }, (_, n) => opened.set(`i${n}`, String(n), BIG)));
  return { factory, opened };
}

/** Opens each snapshot at another version, so that no two share a view. */
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
  const hog = spawn(process.execPath, [fileURLToPath(new URL('../children/lmdb-view-hog.mjs', import.meta.url)), factory.directory()], {
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

const MIB = 1_048_576;
const ENDED = { code: 'OVERLOADED' };

test('decision 21 a view of a reader ends when so much was written, and the data file stays small', async () => {
  const { factory, opened } = await openStore({ ...ENDLESS, bytes: 8 * MIB });
  const snapshot = await opened.store.snapshot(BIG, 'reader');
  const chunks = snapshot.chunks()[Symbol.asyncIterator]();
  expect((await chunks.next()).value).toHaveLength(256);
  const text = 'x'.repeat(100_000);
  for (let n = 0; n < 60; n++)
    await Promise.all(Array.from({ length: 10 }, (_, k) => opened.set(`big${k}`, JSON.stringify(`${n}${text}`), GROUP)));
  // 60 MB were written, and 1 MB is live.
  expect(statSync(join(factory.directory(), 'data.mdb')).size).toBeLessThan(24 * MIB);
  await expect(chunks.next()).rejects.toMatchObject(ENDED);
  snapshot.close();
  expect((await opened.items(BIG)).items).toHaveLength(ITEMS);
});

test('decision 21 a view of a reader ends after its time, though the reader takes something now and then', async () => {
  let now = 0;
  const { opened } = await openStore({ ...ENDLESS, milliseconds: 5_000 }, () => now);
  await Promise.all(Array.from({ length: 4_000 }, (_, n) => opened.set(`more${n}`, '1', BIG)));
  const snapshot = await opened.store.snapshot(BIG, 'reader');
  const chunks = snapshot.chunks()[Symbol.asyncIterator]();
  for (now = 1_000; now < 5_000; now += 1_000) {
    await opened.set('m', String(now));
    expect((await chunks.next()).value).toHaveLength(256);
  }
  await opened.set('m', 'last');
  await expect(chunks.next()).rejects.toMatchObject(ENDED);
});

test('decision 21 a read of the engine is whole however fast others write, and one that stalls ends', async () => {
  let now = 0;
  const { opened } = await openStore({ milliseconds: 5_000, bytes: 2 * MIB }, () => now);
  await Promise.all(Array.from({ length: 20_000 }, (_, n) => opened.set(`more${n}`, '1', BIG)));
  const before = opened.commits.length;
  let reading = true;
  const writes = async () => {
    for (let n = 0; reading; n++) await opened.set(`more${n % 1_000}`, String(n), BIG);
  };
  const writing = Promise.all([writes(), writes()]);
  const { items, position } = await opened.items(BIG);
  reading = false;
  await writing;
  expect(items).toHaveLength(20_000 + ITEMS);
  expect(items.filter(({ changed }) => changed > position.offset)).toEqual([]);
  // The writer waited for the read, and did not stop.
  expect(opened.commits.length).toBeGreaterThan(before);
  const stalled = (await opened.store.snapshot(BIG)).chunks()[Symbol.asyncIterator]();
  await stalled.next();
  now = 6_000;
  await opened.set('m', '1');
  await expect(stalled.next()).rejects.toMatchObject(ENDED);
});
