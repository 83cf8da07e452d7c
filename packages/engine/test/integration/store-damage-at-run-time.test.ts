import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readMarker, scopeOf, writeMarker } from '../../src/store/lmdb/env/store-marker.js';
import { bootId, secondsSinceBoot } from '../../src/structures/boot-id.js';

/** A process that fills a store, zeroes pages of a table while the store is open, and says what reads, writes and the next start do. */
const MAIN = `
import { closeSync, openSync, writeSync } from 'node:fs';
import { createLmdbStore } from ${JSON.stringify(new URL('../../dist/stores.js', import.meta.url).href)};
import { PageFile, StoreTrees } from ${JSON.stringify(new URL('../../dist/parts.js', import.meta.url).href)};
const [, path, table] = process.argv;
const events = [];
const note = (event, { code } = {}) => events.push(code === undefined ? event : event + ' ' + code);
const logger = { debug() {}, info() {}, warn: note, error: note };
const clock = { now: Date.now, monotonic: () => performance.now() };
const space = { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 };
const options = { path, durability: 'commit', saveIntervalMs: 1000, tombstoneRetentionMs: 1000, space, clock, logger };
const open = async () => {
  const store = createLmdbStore(options);
  await store.start({ onCommit() {}, onBreak() {} });
  return store;
};
const outcome = (promise) => promise.then((value) => value?.value?.data ?? 'done', (error) => error.code ?? String(error));
const ref = { stream: 'chat', group: 'room-1' };
const filler = await open();
await Promise.all(Array.from({ length: 200 }, (_, n) =>
  filler.apply({ kind: 'set', ...ref, item: 'item-' + n, data: JSON.stringify({ n, text: 'x'.repeat(200) }) })));
await filler.close();
const store = await open();
const file = new PageFile(path + '/data.mdb');
const trees = new StoreTrees(file, file.newest, () => {});
const reader = trees.read(table, trees.tables().get(table));
const pages = new Map();
for (let entry = reader.next(); entry !== undefined; entry = reader.next()) pages.set(entry.page, entry.key.toString('utf8', 6));
file.close();
const [page] = pages.keys();
const handle = openSync(path + '/data.mdb', 'r+');
writeSync(handle, Buffer.alloc(4096), 0, 4096, page * 4096);
closeSync(handle);
const damaged = table === 'items' ? pages.get(page) : 'item-0';
const sound = table === 'items' ? [...pages.values()].at(-1) : 'item-0';
const result = { read: await outcome(store.get(ref, damaged)) };
result.again = await outcome(store.get(ref, damaged));
result.write = await outcome(store.apply({ kind: 'set', ...ref, item: damaged, data: '1' }));
result.later = await outcome(store.apply({ kind: 'set', ...ref, item: 'new', data: '1' }));
result.other = (await outcome(store.get(ref, sound))).slice(0, 5);
await store.close();
result.events = events;
console.log(JSON.stringify(result));
process.exit(0);`;

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'rivulet-run-time-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a page is damaged while the store is open: reads and writes get codes, other items are served, the next start refuses', () => {
  const path = directory();
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', MAIN, path, 'items'], { encoding: 'utf8' });
  expect({ signal: run.signal, status: run.status, errors: run.stderr.split('\n').filter((line) => /at .*\.js/.test(line)) }).toEqual({
    signal: null,
    status: 0,
    errors: [],
  });
  const { events, ...result } = JSON.parse(run.stdout) as { readonly events: readonly string[] };
  expect(result).toEqual({
    read: 'CORRUPT_ITEM',
    again: 'CORRUPT_ITEM',
    write: 'STORE_UNAVAILABLE',
    later: 'STORE_UNAVAILABLE',
    other: '{"n":',
  });
  expect(events.filter((event) => event === 'store_damaged CORRUPT_ITEM')).toHaveLength(1);
  expect(events).toContain('store_failed');
  const marker = readMarker(path);
  expect(marker?.state).toMatchObject({ kind: 'open', suspect: true });
  expect(scopeOf(path, marker)).toBe('everything');
});

test('a page that only a write needs is damaged: the write gets a code, and the process lives', () => {
  const path = directory();
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', MAIN, path, 'versions'], { encoding: 'utf8' });
  expect({ signal: run.signal, status: run.status }).toEqual({ signal: null, status: 0 });
  expect(JSON.parse(run.stdout)).toMatchObject({ write: 'STORE_UNAVAILABLE', later: 'STORE_UNAVAILABLE' });
});

test.each<[string, { unclean?: number; lasted?: 0 | 1; suspect?: boolean; age: number }, 'roots' | 'everything']>([
  ['3 short runs in a row that were killed', { unclean: 2, lasted: 0, age: 1 }, 'roots'],
  ['4 short runs in a row that were killed', { unclean: 3, lasted: 0, age: 1 }, 'everything'],
  ['4 short runs in a row, with pauses of an hour', { unclean: 3, lasted: 0, age: 3_600 }, 'everything'],
  ['a run that lasted, after 3 short ones', { unclean: 3, lasted: 1, age: 100 }, 'roots'],
  ['a marker that does not say whether its run lasted', { age: 1 }, 'roots'],
  ['a run that met damage', { suspect: true, age: 3_600 }, 'everything'],
])('%s: the next start checks the right scope', (_, { unclean = 0, lasted, suspect, age }, scope) => {
  const path = directory();
  writeFileSync(join(path, 'data.mdb'), 'x');
  const counted = { ...(lasted === undefined ? {} : { lasted }), ...(suspect === undefined ? {} : { suspect }) };
  const state = { kind: 'open', boot: bootId(), opened: secondsSinceBoot() - age, unclean, ...counted } as const;
  writeMarker(path, { storeId: 's', bytes: 0, state });
  expect(readFileSync(join(path, 'rivulet-store.json'), 'utf8')).toContain('"open"');
  expect(scopeOf(path, readMarker(path))).toBe(scope);
});
