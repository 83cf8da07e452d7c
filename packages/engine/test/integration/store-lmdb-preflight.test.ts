import { closeSync, cpSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { GROUP } from '@rivulet/conformance/store-contract/factory';
import { afterEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { checkDirectory } from '../../src/store/lmdb/checking/check-directory.js';
import { preflight } from '../../src/store/lmdb/checking/preflight.js';
import { LmdbEnvironment } from '../../src/store/lmdb/env/environment.js';
import { MarkerRecord, readMarker, scopeOf } from '../../src/store/lmdb/env/store-marker.js';
import { TABLES } from '../../src/store/lmdb/tables/tables.js';
import { aged, damage } from '../aged-store.js';

vi.mock('../../src/structures/boot-id.js', () => ({ bootId: () => boot.id, secondsSinceBoot: () => boot.seconds }));
const boot = vi.hoisted(() => ({ id: 'this-boot', seconds: 1_000 }));
afterEach(() => {
  boot.id = 'this-boot';
  boot.seconds = 1_000;
});

/** Returns a closed store with one item, and functions on its marker. */
async function closed() {
  const world = await aged();
  const opened = await world.start();
  for (const item of ['a', 'b', 'c']) await opened.set(item, '1');
  await opened.store.close();
  const file = join(world.path, 'rivulet-store.json');
  const marker = () => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const mark = (changes: object) => writeFileSync(file, JSON.stringify({ ...marker(), ...changes }));
  const scope = () => scopeOf(world.path, readMarker(world.path));
  return { ...world, file, marker, mark, scope };
}

test('a store that was closed, and has not changed since, has only its roots checked', async () => {
  const { scope, start, path } = await closed();
  expect(scope()).toBe('roots');
  const opened = await start();
  expect(readMarker(path)?.state).toEqual({ kind: 'open', boot: 'this-boot', opened: 1_000, unclean: 0, lasted: 0 });
  await opened.store.close();
  expect(scope()).toBe('roots');
});

test('another boot, and any write to the file, is a reason to check everything', async () => {
  const { scope, path } = await closed();
  boot.id = 'next-boot';
  expect(scope()).toBe('everything');
  boot.id = 'this-boot';
  expect(scope()).toBe('roots');
  const file = openSync(join(path, 'data.mdb'), 'r+');
  writeSync(file, Buffer.from([0]), 0, 1, 9_000);
  closeSync(file);
  expect(scope()).toBe('everything');
});

test('a killed run of this boot costs no check of everything; the fourth short one in a row does, and so does one before a boot', async () => {
  const { scope, mark } = await closed();
  const killed = (unclean: number, id = 'this-boot', lasted = 0) =>
    mark({ state: { kind: 'open', boot: id, opened: 950, unclean, lasted } });
  killed(0);
  expect(scope()).toBe('roots');
  killed(2);
  expect(scope()).toBe('roots');
  killed(3);
  expect(scope()).toBe('everything');
  // A run that lasted is no crash loop.
  killed(3, 'this-boot', 1);
  expect(scope()).toBe('roots');
  killed(0, 'boot-before');
  expect(scope()).toBe('everything');
  mark({ state: 'nonsense' });
  expect(scope()).toBe('everything');
});

test('each start after a short killed run counts, until everything was checked or a run lasted', async () => {
  const { path, mark, start } = await closed();
  for (const [before, lasted, after] of [
    [0, 0, 1],
    [2, 0, 3],
    [3, 0, 0],
    [2, 1, 0],
  ] as const) {
    mark({ state: { kind: 'open', boot: 'this-boot', opened: 950, unclean: before, lasted } });
    const opened = await start();
    expect(readMarker(path)?.state).toMatchObject({ unclean: after });
    await opened.store.close();
  }
});

test('a run that lives for 90 seconds is no short one, however long its supervisor waits before the next', async () => {
  const { path, start } = await closed();
  const killed = join(path, 'killed');
  for (const [seconds, lasted, unclean] of [
    [1_089, 0, 1],
    [1_090, 1, 0],
  ] as const) {
    boot.seconds = 1_000;
    const environment = await LmdbEnvironment.open({ path, relaxed: false, tables: TABLES });
    environment.tick();
    boot.seconds = seconds;
    environment.tick();
    expect(readMarker(path)?.state).toMatchObject({ kind: 'open', opened: 1_000, unclean: 0, lasted });
    mkdirSync(killed);
    for (const file of ['data.mdb', 'lock.mdb', 'rivulet-store.json']) cpSync(join(path, file), join(killed, file));
    boot.seconds = 9_000;
    const next = await LmdbEnvironment.open({ path: killed, relaxed: false, tables: TABLES });
    expect(readMarker(killed)?.state).toMatchObject({ unclean });
    await next.close(() => {});
    rmSync(killed, { recursive: true });
    await environment.close(() => {});
  }
  await (await start()).store.close();
});

test.each([
  ['has not noticed yet', true],
  ['knows', false],
])('a run that has lost its directory, and %s, does not change the marker of the next owner', async (_, isHeld) => {
  const { path } = await closed();
  const lock = { isHeld: true };
  const lost = new MarkerRecord(path, 's', readMarker(path), lock);
  lost.opened(readMarker(path), true);
  boot.seconds = 1_090;
  new MarkerRecord(path, 's', readMarker(path), { isHeld: true }).opened(readMarker(path), true);
  const state = { kind: 'open', boot: 'this-boot', opened: 1_090, unclean: 0, lasted: 0 };
  lock.isHeld = isHeld;
  lost.outlive();
  expect(readMarker(path)?.state).toEqual(state);
  if (isHeld) return;
  lost.suspect();
  lost.closed();
  expect(readMarker(path)?.state).toEqual(state);
});

test.each([
  ['process.abort()', 'SIGABRT'],
  ['process.kill(process.pid, "SIGSEGV")', 'SIGSEGV'],
  ['process.exit(3)', 'exit code 3'],
  ['process.stdout.write("no json")', 'exit code 0'],
])('a process that opens the store and ends with %s is a refusal that says so', async (code, ending) => {
  const { path } = await closed();
  const main = join(path, 'crash.mjs');
  writeFileSync(main, code);
  const refusal = { code: 'CORRUPT_STORE', message: expect.stringContaining(ending) };
  await expect(preflight({ directory: path, scope: 'roots' }, silentLogger, { node: process.execPath, main })).rejects.toMatchObject(
    refusal,
  );
});

test('without a child process, or when others end it, the engine checks the store itself', async () => {
  const { path } = await closed();
  const events: string[] = [];
  const logger = { ...silentLogger, warn: (event: string) => events.push(event) };
  const main = join(path, 'killed.mjs');
  writeFileSync(main, 'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1_000);');
  const request = { directory: path, scope: 'everything' } as const;
  await preflight(request, logger, { node: process.execPath, main });
  await preflight(request, logger, { node: '/no/such/node', main });
  await preflight(request, logger, { node: process.execPath, main: '/no/such/file' });
  expect(events).toEqual(Array(3).fill('store_preflight_failed'));
});

test('a damaged page is a refusal with a code that names the remedies, and the directory stays as it was', async () => {
  const { path, start } = await closed();
  const data = join(path, 'data.mdb');
  const bytes = readFileSync(data);
  for (const page of [0, 1, bytes.length / 4_096 - 1]) {
    const damaged = Buffer.from(bytes);
    damaged.fill(0xff, page * 4_096, page * 4_096 + 64);
    writeFileSync(data, damaged);
    if (!checkDirectory(path).findings.areBlocking) continue;
    const refusal = expect.objectContaining({ code: 'CORRUPT_STORE', message: expect.stringMatching(/rivulet salvage .* --to NEW/) });
    await expect(start()).rejects.toEqual(refusal);
    expect(readFileSync(data).equals(damaged)).toBe(true);
  }
  writeFileSync(data, bytes);
  const opened = await start();
  expect(await opened.value('a')).toBe('1');
});

test('the data file of another store, and an older one, are refused', async () => {
  const [one, other] = [await closed(), await closed()];
  const data = join(one.path, 'data.mdb');
  const old = readFileSync(data);
  const opened = await one.start();
  await opened.set('a', '2');
  await opened.store.close();
  writeFileSync(data, old);
  await expect(one.start()).rejects.toMatchObject({ code: 'CORRUPT_STORE', message: expect.stringContaining('older than its marker') });
  writeFileSync(data, readFileSync(join(other.path, 'data.mdb')));
  one.mark({ state: undefined });
  await expect(one.start()).rejects.toMatchObject({ code: 'CORRUPT_STORE', message: expect.stringContaining('another store') });
});

test.each([0, -5, 1.5, 'text', null, undefined])('a marker of format %s is refused with a sentence and a code', async (format) => {
  const { mark, start } = await closed();
  mark({ format });
  await expect(start()).rejects.toMatchObject({ code: 'STORE_FORMAT_UNKNOWN', message: expect.stringContaining('format') });
});

test('a newer format is refused, and an older one is kept as a copy until the first clean stop', async () => {
  const { path, marker, mark, start } = await closed();
  mark({ format: 4 });
  await expect(start()).rejects.toMatchObject({ code: 'STORE_FORMAT_UNKNOWN', message: expect.stringContaining('start a newer engine') });
  mark({ format: 1, state: undefined });
  const old = marker();
  const opened = await start();
  expect(marker()).toMatchObject({ format: 3, storeId: old.storeId, state: { kind: 'open' } });
  const copy = join(path, 'rivulet-store.json.format-1');
  expect(JSON.parse(readFileSync(copy, 'utf8'))).toEqual(old);
  expect(await opened.value('a')).toBe('1');
  await opened.store.close();
  expect(readdirSync(path)).not.toContain('rivulet-store.json.format-1');
});

test('one damaged value costs one item: lists, joins and changes go on, and it can be written and deleted', async () => {
  const { path, lines, atStart, start } = await closed();
  await damage(path, 'items', (index) => index === 1);
  let opened = await start();
  expect(atStart).toMatchObject([{ fields: { code: 'CORRUPT_ITEM', first: [{ item: 'b' }, { item: 'b' }] } }]);
  await expect(opened.value('b')).rejects.toMatchObject({ code: 'CORRUPT_ITEM' });
  for (let read = 0; read < 3; read++) expect((await opened.items()).items.map(({ item }) => item)).toEqual(['a', 'c']);
  const epoch = (await opened.items()).position.epoch;
  expect(await opened.changes({ epoch, offset: 0 })).toMatchObject([{ item: 'a' }, { item: 'c' }]);
  const said = { event: 'store_item_damaged', fields: { ...GROUP, item: 'b', code: 'CORRUPT_ITEM' } };
  expect(lines).toMatchObject([said]);
  expect(await opened.set('b', '2')).toMatchObject({ kind: 'applied', old: 'null', new: '2' });
  expect((await opened.items()).items).toMatchObject([{ item: 'a' }, { item: 'b', data: '2', created: 2 }, { item: 'c' }]);
  await opened.store.close();
  expect(checkDirectory(path).findings.list).toEqual([]);
  await damage(path, 'items', (index) => index === 2);
  opened = await start();
  expect(await opened.delete('c')).toMatchObject({ kind: 'applied', old: 'null' });
  expect((await opened.items()).items).toHaveLength(2);
  await opened.store.close();
  expect(checkDirectory(path).findings.list).toEqual([]);
});

test('a damaged head costs its group; the names of all others are listed', async () => {
  const { path, lines, start } = await aged();
  let opened = await start();
  for (const group of ['room-1', 'room-2', 'room-3']) await opened.set('a', '1', { ...GROUP, group });
  await opened.store.close();
  await damage(path, 'heads', (index) => index === 1);
  opened = await start();
  expect(await opened.store.groups(GROUP.stream)).toEqual(['room-1', 'room-3']);
  expect(lines.at(-1)).toMatchObject({ event: 'store_item_damaged', fields: { group: 'room-2' } });
  await expect(opened.items({ ...GROUP, group: 'room-2' })).rejects.toMatchObject({ code: 'CORRUPT_ITEM' });
});
