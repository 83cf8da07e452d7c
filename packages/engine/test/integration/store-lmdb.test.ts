import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GROUP, OpenStore } from '@rivulet/conformance/store-contract/factory';
import { lmdbFactory } from '@rivulet/testkit/stores/store-factories';
import { expect, onTestFinished, test } from 'vitest';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';

async function openStore() {
  const factory = lmdbFactory();
  const opened = await OpenStore.start(await factory.create(Date.now));
  onTestFinished(async () => {
    await opened.store.close();
    await factory.dispose();
  });
  const restart = async () => OpenStore.start(await factory.reopen(Date.now));
  return { factory, opened, restart };
}

test('the store directory and its files are for their owner only', async () => {
  const { factory } = await openStore();
  expect((await stat(factory.directory())).mode & 0o777).toBe(0o700);
  for (const file of ['data.mdb', 'lock.mdb', 'rivulet-store.json'])
    expect((await stat(join(factory.directory(), file))).mode & 0o777).toBe(0o600);
});

test('ST-5 who reads a group while its first change is on its way to the disk gets an earlier stamp than that change', async () => {
  let now = 1_000_000;
  const factory = lmdbFactory();
  const opened = await OpenStore.start(await factory.create(() => now));
  onTestFinished(async () => {
    await opened.store.close();
    await factory.dispose();
  });
  const writing = opened.set('m', '1');
  // The batch has begun and its sync has not ended, because only microtasks ran.
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  now += 500;
  const snapshot = await opened.store.snapshot(GROUP);
  const read = await opened.store.get(GROUP, 'm');
  snapshot.close();
  await writing;
  const [commit] = opened.commits;
  expect(snapshot.position.offset).toBe(0);
  expect(snapshot.timestamp).toBeLessThan(commit?.timestamp ?? 0);
  expect(read.timestamp).toBeLessThan(commit?.timestamp ?? 0);
});

test('F7 an empty or missing data file beside the marker is damage, not a new store', async () => {
  const { factory, opened } = await openStore();
  await opened.set('m', '1');
  await opened.store.close();
  await truncate(join(factory.directory(), 'data.mdb'), 0);
  await expect(factory.reopen(Date.now).then((store) => OpenStore.start(store))).rejects.toThrow(/data\.mdb is missing or empty/);
  await rm(join(factory.directory(), 'data.mdb'));
  await expect(factory.reopen(Date.now).then((store) => OpenStore.start(store))).rejects.toThrow(/restore it, or move the directory away/);
});

test('F9 a store of a newer format is refused, naming both versions; a damaged marker too', async () => {
  const { factory, opened } = await openStore();
  await opened.store.close();
  const marker = join(factory.directory(), 'rivulet-store.json');
  const known = JSON.parse(await readFile(marker, 'utf8')) as object;
  await chmod(marker, 0o600);
  await writeFile(marker, JSON.stringify({ ...known, format: 9 }));
  await expect(factory.reopen(Date.now).then((store) => OpenStore.start(store))).rejects.toThrow(/format 9, this engine reads up to 3/);
  await writeFile(marker, '{');
  await expect(factory.reopen(Date.now).then((store) => OpenStore.start(store))).rejects.toThrow(/damaged/);
});

test('a flipped bit in a stored value is CORRUPT_ITEM, never a wrong value', async () => {
  const { factory, opened, restart } = await openStore();
  await opened.set('m', '"a value to damage"');
  await opened.store.close();
  const file = join(factory.directory(), 'data.mdb');
  const bytes = await readFile(file);
  let flipped = 0;
  for (let at = bytes.indexOf('value to damage'); at >= 0; at = bytes.indexOf('value to damage', at + 1)) {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    flipped++;
  }
  expect(flipped).toBeGreaterThan(0);
  await writeFile(file, bytes);
  const again = await restart();
  onTestFinished(() => again.store.close());
  await expect(again.value('m')).rejects.toMatchObject({ code: 'CORRUPT_ITEM' });
  expect((await again.items()).items).toEqual([]);
  await again.set('other', '1');
  expect(await again.value('other')).toBe('1');
});

test.each([
  { overlappingSync: false, readableEarly: false },
  { overlappingSync: true, readableEarly: true },
])(
  'what a resolved write means with overlappingSync: $overlappingSync, while each sync takes 300 ms',
  async ({ overlappingSync, readableEarly }) => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-lmdb-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const slowSync = [
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      'trace=fdatasync,fsync,msync',
      '-e',
      'inject=fdatasync,fsync,msync:delay_enter=300000',
    ];
    const child = spawn('strace', [...slowSync, process.execPath, PROBE, directory, String(overlappingSync)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    await once(child, 'close');
    const { readableMs, resolvedMs } = JSON.parse(output) as { readableMs: number; resolvedMs: number };
    expect(resolvedMs).toBeGreaterThanOrEqual(300);
    expect(readableMs < 250).toBe(readableEarly);
  },
);

test('a read never shows a change that onCommit has not reported', async () => {
  const { opened } = await openStore();
  let writing = true;
  const writer = (async () => {
    for (let n = 0; writing; n++) await opened.set('m', String(n));
  })();
  for (let turn = 0; turn < 2_000; turn++) {
    const { value } = await opened.store.get(GROUP, 'm');
    expect(value?.changed ?? 0).toBeLessThanOrEqual(opened.commits.at(-1)?.position.offset ?? 0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  writing = false;
  await writer;
});

const PROBE = fileURLToPath(new URL('../children/lmdb-sync-probe.mjs', import.meta.url));
const CHILD = fileURLToPath(new URL('../children/store-child.mjs', import.meta.url));

test('F1 after kill -9 every acknowledged write is there and no offset is used twice, those of events included', async () => {
  const { factory, opened, restart } = await openStore();
  await opened.set('start', '1');
  const { epoch } = opened.commits[0]?.position ?? { epoch: '' };
  await opened.store.close();
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [CHILD, factory.directory()], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let killed = false;
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
      if (killed || output.split('\n').length < 400) return;
      killed = true;
      child.kill('SIGKILL');
    });
    await once(child, 'close');
    const acks = output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { item?: string; data?: string; offset: number });
    const again = await restart();
    const stored = new Map((await again.items()).items.map((item) => [item.item, item.changed]));
    const older = acks.filter(({ item, offset }) => item !== undefined && (stored.get(item) ?? 0) < offset);
    expect(older).toEqual([]);
    await again.set('after', String(round));
    const position = again.commits[0]?.position;
    expect(position?.epoch).toBe(epoch);
    expect(position?.offset).toBeGreaterThan(Math.max(...acks.map((ack) => ack.offset)));
    await again.store.close();
  }
});

test('tombstones leave after their retention: the floor rises, and a group that comes back starts above it', async () => {
  let now = 1_700_000_000_000;
  const factory = lmdbFactory();
  const create = await factory.create(() => now);
  const opened = await OpenStore.start(create);
  onTestFinished(() => factory.dispose());
  await opened.set('a', '1');
  const since = opened.commits[0]?.position ?? { epoch: '', offset: 0 };
  await opened.delete('a');
  const last = opened.commits.at(-1)?.position.offset ?? 0;
  await opened.store.close();
  now += 8 * 86_400_000;
  const again = await OpenStore.start(await factory.reopen(() => now));
  await (again.store as unknown as { sweepNow(): Promise<void> }).sweepNow();
  expect(await again.changes(since)).toBe('stale');
  await again.set('b', '2', GROUP);
  expect(again.commits[0]?.position.offset).toBeGreaterThan(last);
  expect(again.commits[0]?.position.epoch).toBe(since.epoch);
  await again.store.close();
});

test('a sweep takes all tombstones whose time is over, however many there are, while writes go on', async () => {
  let now = 1_700_000_000_000;
  const factory = lmdbFactory();
  const opened = await OpenStore.start(await factory.create(() => now));
  onTestFinished(async () => {
    await opened.store.close();
    await factory.dispose();
  });
  const items = Array.from({ length: 5_000 }, (_, n) => `i${n}`);
  await Promise.all(items.map((item) => opened.set(item, '1')));
  await Promise.all(items.map((item) => opened.delete(item)));
  const nearTheEnd = opened.commits.at(-2)?.position ?? { epoch: '', offset: 0 };
  expect(await opened.changes(nearTheEnd)).not.toBe('stale');
  now += 8 * 86_400_000;
  const writing = opened.set('last', '2');
  await (opened.store as unknown as { sweepNow(): Promise<void> }).sweepNow();
  await writing;
  expect(await opened.changes(nearTheEnd)).toBe('stale');
  expect((await opened.items()).items.map(({ item }) => item)).toEqual(['last']);
});

test('groups of events alone leave too, some at each sweep; one that comes back starts above what it had', async () => {
  let now = 1_700_000_000_000;
  const factory = lmdbFactory();
  let opened = await OpenStore.start(await factory.create(() => now));
  onTestFinished(async () => {
    await opened.store.close();
    await factory.dispose();
  });
  const sweep = () => (opened.store as unknown as { sweepNow(): Promise<void> }).sweepNow();
  const heads = async () => {
    await opened.store.close();
    const environment = await LmdbEnvironment.open({ path: factory.directory(), relaxed: false, tables: ['heads'] });
    const count = [...environment.table('heads').getRange({})].length;
    await environment.close(() => {});
    opened = await OpenStore.start(await factory.reopen(() => now));
    return count;
  };
  const group = (n: number) => ({ stream: 's', group: `g${n}` });
  await opened.set('kept', '1', group(0));
  await Promise.all(Array.from({ length: 3_000 }, (_, n) => opened.event('e', group(n))));
  await opened.event('e', group(1));
  const last = opened.commits.at(-1)?.position.offset ?? 0;
  now += 6 * 86_400_000;
  await opened.event('e', group(2));
  await sweep();
  expect(await heads()).toBe(3_000);
  now += 2 * 86_400_000;
  await sweep();
  await opened.event('e', group(3));
  await sweep();
  await sweep();
  expect(await heads()).toBe(3);
  await opened.event('e', group(1));
  expect(opened.commits.at(-1)?.position.offset).toBeGreaterThan(last);
  expect(await opened.store.groups('s')).toEqual(['g0']);
});
