import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GROUP, OpenStore } from '@rivulet/conformance/store-contract/factory';
import { createLmdbStore } from '@rivulet/engine/stores';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { checkDirectory } from '../../src/store/lmdb/checking/check-directory.js';
import { copyStore, lockMoment } from '../../src/store/lmdb/copying/store-copy.js';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';
import { DEFAULT_LOG } from '../../src/store/lmdb/log/commit-log.js';
import { salvageStore } from '../../src/store/lmdb/salvaging/salvage-store.js';
import { TABLES } from '../../src/store/lmdb/tables/tables.js';

const CHECKPOINT = 'rivulet-checkpoint.json';
const SMALL = { fileBytes: 16_384, chunkBytes: 4_096, recordBytes: 8_192, checkpointBytes: 2 ** 40 };
const folder = mkdtempSync(join(tmpdir(), 'rivulet-logged-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const directory = () => mkdtempSync(join(folder, 'store-'));
const logs = (path: string) =>
  readdirSync(path)
    .filter((name) => name.startsWith('rivulet-log-'))
    .sort();

interface Options {
  readonly durability?: 'commit' | 'relaxed';
  readonly limits?: typeof DEFAULT_LOG;
}

async function open(path: string, { durability = 'commit', limits = DEFAULT_LOG }: Options = {}) {
  const warnings: string[] = [];
  const log = () => {};
  const store = createLmdbStore({
    path,
    durability,
    log: limits,
    saveIntervalMs: 3_600_000,
    preflight: 'inline',
    tombstoneRetentionMs: 604_800_000,
    space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: { debug: log, info: log, warn: (event) => warnings.push(event), error: (event) => warnings.push(event) },
  });
  const opened = await OpenStore.start(store);
  onTestFinished(() => store.close());
  return { opened, warnings, epoch: (await opened.store.snapshot(GROUP)).position.epoch };
}

/** Copies the directory of an open store as a power cut leaves it: the start goes back to the checkpoint. */
function powerCut(path: string): string {
  const copy = directory();
  cpSync(path, copy, { recursive: true, filter: (file) => !/rivulet-store\.(lock|sock)|\.new$/.test(file) });
  const file = join(copy, CHECKPOINT);
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
  return copy;
}

/** Returns the content of each file of the store, without the locks. */
const filesOf = (path: string) =>
  readdirSync(path)
    .filter((name) => !/lock/.test(name))
    .map((name) => [
      name,
      createHash('sha1')
        .update(readFileSync(join(path, name)))
        .digest('hex'),
    ]);

/** Changes one byte of the record that has a text. */
function damageRecord(path: string, text: string): void {
  const changed = logs(path).filter((name) => {
    const content = readFileSync(join(path, name));
    const at = content.indexOf(text);
    if (at < 0) return false;
    content[at] = (content[at] ?? 0) ^ 1;
    writeFileSync(join(path, name), content);
    return true;
  });
  expect(changed).toHaveLength(1);
}

async function written(count: number, options: Options = {}) {
  const path = directory();
  const first = await open(path, options);
  for (let n = 0; n < count; n++) await first.opened.set(`item-${n}`, JSON.stringify(`value ${n};`));
  return { path, ...first };
}

test('after a power cut, the log gives back every write, with the same epoch', async () => {
  const { path, epoch } = await written(20);
  const image = powerCut(path);
  const before = logs(image);
  const again = await open(image);
  for (let n = 0; n < 20; n++) expect(await again.opened.value(`item-${n}`)).toBe(JSON.stringify(`value ${n};`));
  expect(again.epoch).toBe(epoch);
  expect(again.warnings).toEqual([]);
  // The next run has a log of its own.
  expect(logs(image).filter((name) => before.includes(name))).toEqual([]);
  await again.opened.set('more', '1');
  const third = await open(powerCut(image));
  expect(await third.opened.value('more')).toBe('1');
  expect(await third.opened.value('item-19')).toBe('"value 19;"');
});

test('a clean stop leaves neither a log nor a checkpoint, and a killed process needs none', async () => {
  const { path, opened } = await written(5);
  const killed = directory();
  cpSync(path, killed, { recursive: true, filter: (file) => !/rivulet-store\.(lock|sock)|rivulet-log-/.test(file) });
  expect(await (await open(killed)).opened.value('item-4')).toBe('"value 4;"');
  await opened.store.close();
  expect(readdirSync(path).sort()).toEqual(['data.mdb', 'lock.mdb', 'rivulet-store.json']);
});

test('a last record that was not written to its end is the end of the log', async () => {
  const { path } = await written(6);
  const image = powerCut(path);
  damageRecord(image, 'value 5;');
  expect(checkDirectory(image)).toMatchObject({ findings: { count: 0 }, logged: 6 });
  const again = await open(image);
  expect(await again.opened.value('item-4')).toBe('"value 4;"');
  expect(await again.opened.value('item-5')).toBeUndefined();
});

test('a damaged record before sound ones refuses the start, again and again, and salvage reads the others', async () => {
  const { path } = await written(6);
  const image = powerCut(path);
  damageRecord(image, 'value 3;');
  expect(checkDirectory(image).findings.list).toMatchObject([
    { table: 'log', problem: expect.stringContaining('the commit log lacks transactions') },
  ]);
  const before = filesOf(image);
  for (let start = 0; start < 2; start++)
    await expect(open(image)).rejects.toMatchObject({ code: 'CORRUPT_STORE', message: expect.stringContaining('rivulet salvage') });
  expect(filesOf(image)).toEqual(before);
  const target = directory();
  expect(await salvageStore(image, target)).toMatchObject({ items: 5, damagedPages: [{ table: 'log' }] });
  expect(await (await open(target)).opened.value('item-5')).toBe('"value 5;"');
});

test('a missing log, or another thing in its place, refuses the start', async () => {
  const { path } = await written(2);
  const image = powerCut(path);
  const file = join(image, logs(image)[0] ?? '');
  const refusal = { code: 'CORRUPT_STORE', message: expect.stringContaining(file) };
  rmSync(file);
  await expect(open(image)).rejects.toMatchObject(refusal);
  execFileSync('mkfifo', [file]);
  await expect(open(image)).rejects.toMatchObject(refusal);
  rmSync(file);
  mkdirSync(file);
  await expect(open(image)).rejects.toMatchObject(refusal);
});

test('files of the log stay small, and every moment can be restored', async () => {
  const { path, opened } = await written(0, { limits: SMALL });
  for (let round = 0; round < 12; round++) {
    for (let n = 0; n < 10; n++) await opened.set(`item-${n}`, JSON.stringify(`${round} `.repeat(100 * n)));
    for (const name of logs(path)) expect(statSync(join(path, name)).size).toBeLessThanOrEqual(SMALL.fileBytes);
    const image = await open(powerCut(path), { limits: SMALL });
    for (let n = 0; n < 10; n++) expect(await image.opened.value(`item-${n}`)).toBe(JSON.stringify(`${round} `.repeat(100 * n)));
    await image.opened.store.close();
  }
});

test('a transaction that is too large for the log is in the checkpoint when it resolves', async () => {
  const { path, opened } = await written(1, { limits: SMALL });
  const value = JSON.stringify('x'.repeat(50_000));
  await opened.set('large', value);
  const image = await open(powerCut(path), { limits: SMALL });
  expect(await image.opened.value('large')).toBe(value);
  expect(await image.opened.value('item-0')).toBe('"value 0;"');
});

test('a transaction whose pages another thread writes is in the log too', async () => {
  const path = directory();
  const environment = await LmdbEnvironment.open({ path, relaxed: false, log: DEFAULT_LOG, tables: ['t'] });
  const table = environment.table('t');
  await environment.transaction(() => table.put(Buffer.from('a'), Buffer.alloc(300_000, 1)), 'elsewhere');
  await expect(
    environment.transaction(() => {
      table.put(Buffer.from('b'), Buffer.from('2'));
      throw new Error('no');
    }, 'elsewhere'),
  ).rejects.toThrow('nothing of it was written');
  await environment.transaction(() => table.put(Buffer.from('c'), Buffer.from('3')));
  const image = powerCut(path);
  const again = await LmdbEnvironment.open({ path: image, relaxed: false, tables: ['t'] });
  expect(['a', 'b', 'c'].map((key) => again.table('t').get(Buffer.from(key))?.length)).toEqual([300_000, undefined, 1]);
  await again.close(() => {});
  await environment.close(() => {});
});

test('a relaxed store takes over the log of a durable one and keeps its epoch', async () => {
  const { path, epoch } = await written(3);
  const image = powerCut(path);
  const again = await open(image, { durability: 'relaxed' });
  expect(again.epoch).toBe(epoch);
  expect(await again.opened.value('item-2')).toBe('"value 2;"');
  expect(logs(image)).toEqual([]);
});

test('check names what the log has, and a backup has it', async () => {
  const { path } = await written(7);
  const image = powerCut(path);
  expect(checkDirectory(image)).toMatchObject({ findings: { count: 0 }, items: 0, logged: 8 });
  const salvaged = directory();
  expect(await salvageStore(image, salvaged)).toMatchObject({ items: 7, lostCount: 0, damagedPages: [], logged: 8 });
  const copy = directory();
  const moment = await lockMoment(image);
  if (moment === undefined) throw new Error('there is no store');
  await copyStore(image, moment, copy);
  moment.release();
  expect(checkDirectory(copy)).toMatchObject({ findings: { count: 0 }, items: 7 });
});

test('a start without a log of its own applies the old one without a sync for each transaction', async () => {
  const { path } = await written(100);
  const image = powerCut(path);
  const calls = join(image, 'calls');
  const environment = new URL('../../dist/store/lmdb/env/environment.js', import.meta.url).href;
  const program = `
    const { LmdbEnvironment } = await import(${JSON.stringify(environment)});
    const tables = ${JSON.stringify(TABLES)};
    const environment = await LmdbEnvironment.open({ path: ${JSON.stringify(image)}, relaxed: false, tables });
    await environment.close(() => {});`;
  const strace = ['-f', '-qq', '--seccomp-bpf', '-e', 'trace=fsync,fdatasync,msync', '-o', calls];
  execFileSync('strace', [...strace, process.execPath, '--input-type=module', '-e', program]);
  const syncs = readFileSync(calls, 'utf8').split('\n').length;
  expect(syncs).toBeGreaterThan(3);
  expect(syncs).toBeLessThan(30);
  expect(await (await open(image)).opened.value('item-99')).toBe('"value 99;"');
});
