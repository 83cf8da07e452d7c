import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GROUP, OpenStore } from '@rivulet/conformance/store-contract/factory';
import { createLmdbStore } from '@rivulet/engine/stores';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { checkDirectory } from '../../src/store/lmdb/checking/check-directory.js';
import { copyStore, lockMoment } from '../../src/store/lmdb/copying/store-copy.js';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';
import { readRoot } from '../../src/store/lmdb/pages/roots.js';
import { salvageStore } from '../../src/store/lmdb/salvaging/salvage-store.js';
import { TABLES } from '../../src/store/lmdb/tables/tables.js';

const CHECKPOINT = 'rivulet-checkpoint.json';
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rivulet-checkpoint-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const directory = () => mkdtemp(join(folder, 'store-'));

/** Opens a store that saves a checkpoint only when a test asks for it. */
async function open(path: string, durability: 'commit' | 'relaxed' = 'relaxed') {
  const warnings: string[] = [];
  const log = () => {};
  const store = createLmdbStore({
    path,
    durability,
    saveIntervalMs: 3_600_000,
    tombstoneRetentionMs: 604_800_000,
    space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: { debug: log, info: log, warn: (event) => warnings.push(event), error: log },
  });
  const opened = await OpenStore.start(store);
  onTestFinished(() => store.close());
  return { opened, warnings, epoch: (await opened.store.snapshot(GROUP)).position.epoch };
}

/** Copies a directory whose store is open, as a kill leaves it. With `otherBoot`, the machine has stopped too. */
async function left(path: string, otherBoot: boolean): Promise<string> {
  const copy = await directory();
  await cp(path, copy, { recursive: true, filter: (file) => !/rivulet-store\.(lock|sock)/.test(file) });
  const file = join(copy, CHECKPOINT);
  if (otherBoot) await writeFile(file, (await readFile(file, 'utf8')).replace(/"boot":"[^"]*"/, '"boot":"another"'));
  return copy;
}

test('a relaxed store whose process was killed keeps every write and its epoch', async () => {
  const path = await directory();
  const { opened, epoch } = await open(path);
  await opened.set('a', '1');
  const again = await open(await left(path, false));
  expect(await again.opened.value('a')).toBe('1');
  expect(again.epoch).toBe(epoch);
  expect(again.warnings).toEqual([]);
});

test('a relaxed store is back at its last checkpoint with a new epoch when the machine has stopped', async () => {
  const path = await directory();
  const first = await open(path);
  await first.opened.set('a', '1');
  await first.opened.store.close();
  const second = await open(path);
  await second.opened.set('a', '2');
  const third = await open(await left(path, true));
  expect(await third.opened.value('a')).toBe('1');
  expect(second.epoch).toBe(first.epoch);
  expect(third.epoch).not.toBe(first.epoch);
  expect(third.warnings).toEqual(['store_new_epoch']);
});

test('a start that is killed before it has saved the new epoch is repeated, in the same boot too', async () => {
  const path = await directory();
  const first = await open(path);
  await first.opened.set('a', '1');
  const image = await left(path, true);
  const environment = await LmdbEnvironment.open({ path: image, relaxed: true, tables: TABLES });
  expect(environment.leftover.kind).toBe('restored');
  const again = await open(await left(image, false));
  expect(again.epoch).not.toBe(first.epoch);
  await environment.close(undefined);
});

test('a relaxed store is taken over by a durable one, and neither leaves a checkpoint when it closes', async () => {
  const path = await directory();
  const first = await open(path);
  await first.opened.set('a', '1');
  const image = await left(path, false);
  const second = await open(image, 'commit');
  expect(await second.opened.value('a')).toBe('1');
  expect(second.epoch).toBe(first.epoch);
  await second.opened.store.close();
  expect(await readdir(image)).not.toContain(CHECKPOINT);
  await first.opened.store.close();
  expect(await readdir(path)).not.toContain(CHECKPOINT);
});

test('many writes take checkpoints early, so that the data file stays small', async () => {
  const path = await directory();
  const { opened } = await open(path);
  const started = Date.now();
  const data = JSON.stringify('x'.repeat(250_000));
  // 160 MiB of values; one checkpoint begins after at most 32 MiB.
  for (let n = 0; n < 670; n++) await opened.set('a', data);
  expect((await stat(join(path, 'data.mdb'))).size).toBeLessThan(90 * 2 ** 20);
  const { savedAt } = JSON.parse(await readFile(join(path, CHECKPOINT), 'utf8')) as { readonly savedAt: number };
  expect(savedAt).toBeGreaterThan(started);
});

test('the root of a checkpoint is that of LMDB', async () => {
  const path = await directory();
  const environment = await LmdbEnvironment.open({ path, relaxed: true, tables: ['t'] });
  const transactions: bigint[] = [];
  for (let n = 0; n < 3; n++) {
    await environment.transaction(() => environment.table('t').put(Buffer.from([n]), Buffer.from('x')));
    transactions.push(readRoot(join(path, 'data.mdb')).readBigUInt64LE(128));
  }
  const [first = 0n] = transactions;
  expect(transactions).toEqual([first, first + 1n, first + 2n]);
  // Magic number, version, page size.
  expect([0, 4, 24].map((at) => readRoot(join(path, 'data.mdb')).readUInt32LE(at))).toEqual([0xbeefc0de, 2, 4_096]);
  await environment.close(() => {});
});

test('a damaged checkpoint, and a data file that is older than it, are refused', async () => {
  const path = await directory();
  const first = await open(path);
  await first.opened.set('a', '1');
  const damaged = await left(path, true);
  await writeFile(join(damaged, CHECKPOINT), '{"boot":"b","savedAt":1}');
  await expect(open(damaged)).rejects.toThrow(/rivulet-checkpoint.json is damaged/);
  const old = await left(path, true);
  await first.opened.store.close();
  const second = await open(path);
  await second.opened.set('a', '2');
  await cp(join(await left(path, true), CHECKPOINT), join(old, CHECKPOINT));
  await expect(open(old)).rejects.toThrow(/older than its checkpoint/);
});

/** Returns a directory after a power cut: its newest pages are torn, and those of the checkpoint are whole. */
async function powerCut(): Promise<string> {
  const path = await directory();
  const first = await open(path);
  for (let n = 0; n < 50; n++) await first.opened.set(`item-${n}`, JSON.stringify({ n, round: 1 }));
  await first.opened.store.close();
  const second = await open(path);
  const last = readRoot(join(path, 'data.mdb')).readBigUInt64LE(128);
  for (let n = 0; n < 50; n++) await second.opened.set(`item-${n}`, JSON.stringify({ n, round: 2 }));
  const copy = await left(path, true);
  const file = join(copy, 'data.mdb');
  const data = await readFile(file);
  for (let page = 2; page < data.length / 4_096; page++)
    if (data.readBigUInt64LE(page * 4_096 + 8) > last && page % 2 === 0) data.fill(0, page * 4_096, (page + 1) * 4_096);
  await writeFile(file, data);
  return copy;
}

test('check, salvage and backup read the checkpoint that the next start restores, and say so', async () => {
  const path = await powerCut();
  const before = await readFile(join(path, 'data.mdb'));
  const { savedAt } = JSON.parse(await readFile(join(path, CHECKPOINT), 'utf8')) as { readonly savedAt: number };
  const { findings, items, restoresTo } = checkDirectory(path);
  expect({ list: findings.list, items, restoresTo }).toEqual({ list: [], items: 50, restoresTo: savedAt });
  const target = await directory();
  expect(await salvageStore(path, target)).toMatchObject({ items: 50, lostCount: 0, damagedPages: [], restoresTo: savedAt });
  const copy = await directory();
  const moment = await lockMoment(path);
  if (moment === undefined) throw new Error('there is no store');
  await copyStore(path, moment, copy);
  moment.release();
  expect(checkDirectory(copy)).toMatchObject({ findings: { count: 0 }, items: 50 });
  expect((await readFile(join(path, 'data.mdb'))).equals(before)).toBe(true);
  const salvaged = await open(target);
  const started = await open(path);
  for (const { opened } of [salvaged, started]) expect(await opened.value('item-7')).toBe(JSON.stringify({ n: 7, round: 1 }));
});

test('a damaged page of a checkpoint is not replaced by pages after it', async () => {
  const path = await powerCut();
  const file = join(path, 'data.mdb');
  const data = await readFile(file);
  // Older pages have the value too.
  for (let at = data.indexOf('"n":7,"round":1'); at >= 0; at = data.indexOf('"n":7,"round":1', at)) data[at] = (data[at] ?? 0) ^ 1;
  await writeFile(file, data);
  const target = await directory();
  const { lost, damagedRecords } = await salvageStore(path, target);
  expect({ lost, damagedRecords }).toMatchObject({ lost: [{ item: 'item-7' }], damagedRecords: 1 });
  expect(await (await open(target)).opened.value('item-8')).toBe(JSON.stringify({ n: 8, round: 1 }));
});

test('a checkpoint is never written into a file to which it does not belong', async () => {
  const path = await powerCut();
  const file = join(path, 'data.mdb');
  const other = await directory();
  const stranger = await open(other);
  for (let n = 0; n < 400; n++)
    await stranger.opened.set(`item-${n % 90}`, JSON.stringify({ n, text: 'x'.repeat(n) }), { ...GROUP, group: `g${n % 7}` });
  await stranger.opened.store.close();
  const foreign = await readFile(join(other, 'data.mdb'));
  for (const content of [Buffer.from('no database '.repeat(2_000)), Buffer.alloc(40_960), foreign]) {
    await writeFile(file, content);
    expect(checkDirectory(path).findings.areBlocking).toBe(true);
    await expect(open(path)).rejects.toMatchObject({
      code: 'CORRUPT_STORE',
      message: expect.stringContaining('restore '),
    });
    expect((await readFile(file)).equals(content)).toBe(true);
  }
});
