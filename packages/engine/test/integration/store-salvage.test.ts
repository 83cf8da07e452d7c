import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GROUP } from '@rivulet/conformance/store-contract/factory';
import { expect, test } from 'vitest';
import { salvageCommand } from '../../src/cli/store/salvage.js';
import { checkDirectory } from '../../src/store/lmdb/checking/check-directory.js';
import { PageFile } from '../../src/store/lmdb/pages/page-file.js';
import { StoreTrees } from '../../src/store/lmdb/pages/store-trees.js';
import { type FoundRecord, FoundRecords, type Origin } from '../../src/store/lmdb/salvaging/found-records.js';
import { rebuildStore } from '../../src/store/lmdb/salvaging/rebuilt-store.js';
import { salvageStore } from '../../src/store/lmdb/salvaging/salvage-store.js';
import { encodeHead, encodeItem, headKey, itemKey, splitHeadKey, textIn } from '../../src/store/lmdb/tables/records.js';
import type { WritableStore } from '../../src/store/store.js';
import { aged } from '../aged-store.js';

const PAGE = 4_096;
const GROUPS = ['room-1', 'room-2', 'room-3'];

/** Returns a closed store of 300 items, some of them big, changed in three rounds, and functions to salvage a damaged copy of it. */
async function closedStore() {
  const { path, start } = await aged();
  for (let round = 0; round < 3; round++) {
    const opened = await start();
    for (const group of GROUPS) {
      const ref = { ...GROUP, group };
      await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          opened.set(`item-${n}`, JSON.stringify({ round, n, text: 'x'.repeat(n % 20 === 0 ? 9_000 : 60) }), ref),
        ),
      );
      await opened.set('deleted', '1', ref);
      await opened.delete('deleted', ref);
    }
    const once = { key: 'k', retentionMs: 1_000_000, fingerprint: 'f', answer: () => 'answer' };
    await (opened.store as WritableStore).write({
      kind: 'write',
      ...GROUP,
      changes: [{ kind: 'set', item: 'last', data: '1' }],
      batch: false,
      once,
    });
    await opened.store.close();
  }
  const bytes = readFileSync(join(path, 'data.mdb'));
  const damaged = `${path}.damaged`;
  mkdirSync(damaged);
  const salvageCopy = async (data: Buffer) => {
    writeFileSync(join(damaged, 'data.mdb'), data);
    rmSync(`${path}.new`, { recursive: true, force: true });
    mkdirSync(`${path}.new`);
    const result = await salvageStore(damaged, `${path}.new`);
    expect(checkDirectory(`${path}.new`).findings.list).toEqual([]);
    return { result, items: valuesIn(`${path}.new`) };
  };
  return { path, bytes, salvageCopy, values: valuesIn(path) };
}

/** Reads all live items of a sound file: values and pages by their names. */
function valuesIn(path: string): Map<string, { readonly value: string; readonly page: number }> {
  const file = new PageFile(join(path, 'data.mdb'));
  const { newest } = file;
  if (newest === undefined) throw new Error('no meta page');
  const trees = new StoreTrees(file, newest, (...problem) => expect(problem).toEqual([]));
  const tables = trees.tables();
  const read = (table: string, take: (key: Buffer, value: Buffer, page: number) => void) => {
    const tree = tables.get(table);
    const reader = tree && trees.read(table, tree);
    for (let entry = reader?.next(); entry !== undefined; entry = reader?.next()) take(entry.key, entry.value, entry.page);
  };
  const names = new Map<number, string>();
  read('heads', (key, value) => names.set(value.readUIntBE(4, 6), splitHeadKey(key).group));
  const items = new Map<string, { value: string; page: number }>();
  read('items', (key, value, page) => {
    const name = `${names.get(key.readUIntBE(0, 6))} ${key.toString('utf8', 6)}`;
    if (value[4] !== 1) items.set(name, { value: value.toString('utf8', 17), page });
  });
  file.close();
  return items;
}

/** Returns the ids of the live items of a store with one group, in their order. */
function orderIn(path: string): string[] {
  const file = new PageFile(join(path, 'data.mdb'));
  const { newest } = file;
  if (newest === undefined) throw new Error('no meta page');
  const trees = new StoreTrees(file, newest, (...problem) => expect(problem).toEqual([]));
  const tree = trees.tables().get('order');
  if (tree === undefined) throw new Error('there is no order');
  const reader = trees.read('order', tree);
  const ids: string[] = [];
  for (let entry = reader.next(); entry !== undefined; entry = reader.next()) ids.push(textIn(entry.value).toString());
  file.close();
  return ids;
}

test('a sound store is salvaged as a whole, with the order, the times and the keys', async () => {
  const { bytes, salvageCopy, values } = await closedStore();
  const { result, items } = await salvageCopy(bytes);
  expect(result).toMatchObject({ groups: 3, items: 301, keys: 1, lostCount: 0, damagedRecords: 0, damagedPages: [], unnamedGroups: 0 });
  expect([...items].map(([name, { value }]) => [name, value])).toEqual([...values].map(([name, { value }]) => [name, value]));
});

test('a page is destroyed, the meta pages and each fifth page in turn: every item of another page comes back', async () => {
  const { bytes, salvageCopy, values } = await closedStore();
  let lostInAll = 0;
  for (let page = 0; page < bytes.length / PAGE; page += page === 0 ? 1 : 5) {
    const data = Buffer.from(bytes);
    data.fill(0xa5, page * PAGE, (page + 1) * PAGE);
    const { result, items } = await salvageCopy(data);
    const lost: string[] = [];
    const wrong: string[] = [];
    for (const [name, { value, page: own }] of values) {
      const found = items.get(name);
      if (found !== undefined && found.value !== value) wrong.push(name);
      if (found !== undefined) continue;
      if (own !== page && value.length < 2_000) lost.push(name);
      else lostInAll++;
    }
    expect({ page, lost, wrong }).toEqual({ page, lost: [], wrong: [] });
    for (const name of items.keys()) expect(values.has(name)).toBe(true);
    expect(result.lostCount + result.damagedRecords).toBeGreaterThanOrEqual(values.size - items.size);
  }
  // Each page has its items once, and the pages of a big value lose that item.
  expect(lostInAll).toBeLessThanOrEqual(values.size + 3 * 15);
});

test('a record of an earlier moment is left out while the versions are whole, and reported when they are lost', async () => {
  const { path, bytes, salvageCopy } = await closedStore();
  const places = (table: string) => {
    const file = new PageFile(join(path, 'data.mdb'));
    const { newest } = file;
    const trees = newest && new StoreTrees(file, newest, () => {});
    const tree = trees?.tables().get(table);
    if (trees === undefined || tree === undefined) throw new Error(`there is no table ${table}`);
    const reader = trees.read(table, tree);
    const pages = new Set<number>();
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) pages.add(entry.page);
    file.close();
    return [...pages];
  };
  const withOld = Buffer.from(bytes);
  // The page of the items becomes free space, so a scan finds older copies of its records.
  for (const page of places('items')) withOld.fill(0, page * PAGE, (page + 1) * PAGE);
  const sound = await salvageCopy(withOld);
  expect(sound.result.unconfirmed).toBe(0);
  expect(sound.result.lostCount).toBeGreaterThan(0);
  for (const { value } of sound.items.values()) expect(JSON.parse(value)).toMatchObject({ round: 2 });
  for (const page of places('versions')) withOld.fill(0, page * PAGE, (page + 1) * PAGE);
  withOld.fill(0, 0, 2 * PAGE);
  const blind = await salvageCopy(withOld);
  const older = [...blind.items.values()].filter(({ value }) => value.includes('"round":0') || value.includes('"round":1'));
  expect(blind.result.unconfirmed).toBeGreaterThanOrEqual(older.length);
});

test('a record outside the trees has the place of an item in them, or another value: the item keeps its place and its value', async () => {
  const { path } = await aged();
  const rebuilt = async (name: string, origin: Origin) => {
    const scratch = join(path, `${name}-scratch`);
    const target = join(path, name);
    for (const directory of [scratch, target]) mkdirSync(directory, { recursive: true });
    const found = await FoundRecords.open(scratch);
    const recordOf = (item: string, created: number, changed: number, data: string): FoundRecord => {
      const key = itemKey(1, item);
      return { table: 'items', key, record: encodeItem(key, { created, changed, live: true, data, expiry: undefined }) };
    };
    const head = headKey(GROUP.stream, GROUP.group);
    const record = encodeHead(head, { number: 1, offset: 9, timestamp: 1, reserved: 9, floor: 0, items: 2 });
    const heads: FoundRecord = { table: 'heads', key: head, record };
    await found.addAll([heads, recordOf('m', 5, 6, '1'), recordOf('n', 7, 8, '2')].values(), 'tree');
    await found.addAll([recordOf('a', 5, 5, '3'), recordOf('n', 9, 9, '4'), recordOf('z', 7, 7, '5')].values(), origin);
    await rebuildStore(target, found, false);
    await found.close();
    expect(checkDirectory(target).findings.list).toEqual([]);
    const values = valuesIn(target);
    return orderIn(target).map((item) => `${item}=${values.get(`${GROUP.group} ${item}`)?.value}`);
  };
  expect(await rebuilt('newest', 'outside_newest')).toEqual(['m=1', 'n=2', 'a=3', 'z=5']);
  // The trees may be of an earlier moment, so the record with the later change counts.
  expect(await rebuilt('earlier', 'outside')).toEqual(['m=1', 'z=5', 'n=4', 'a=3']);
});

test('a meta page names a last page without measure: the other one counts', async () => {
  const { bytes, salvageCopy, values } = await closedStore();
  for (const page of [0, 1]) {
    for (const lastPage of [0n, 2n ** 40n, 2n ** 63n]) {
      const data = Buffer.from(bytes);
      data.writeBigUInt64LE(lastPage, page * PAGE + 24 + 120);
      const { items } = await salvageCopy(data);
      expect([...items.keys()]).toEqual([...values.keys()]);
    }
  }
});

test('rivulet salvage writes the new store, names what is lost, and never writes over files', async () => {
  const { path, bytes } = await closedStore();
  const first = bytes.indexOf('"round":2,"n":33');
  bytes[first] = (bytes[first] ?? 0) ^ 1;
  writeFileSync(join(path, 'data.mdb'), bytes);
  const run = async (to: string | undefined, json: boolean) => {
    const out: string[] = [];
    const write = (text: string) => {
      out.push(text);
    };
    const input = { words: [path], flag: () => json, value: () => to, values: () => [] };
    const code = await salvageCommand.run(input, { cwd: '/', env: {}, isTerminal: false, out: write, err: write });
    return { code, text: out.join('') };
  };
  expect(await run(undefined, false)).toMatchObject({ code: 64 });
  const told = await run(`${path}.a`, false);
  expect(told).toMatchObject({
    code: 65,
    text: expect.stringMatching(/300 items in 3 groups[^]*1 records fail[^]*lost: stream chat, group .*, item item-33/),
  });
  const { code, text } = await run(`${path}.b`, true);
  expect(code).toBe(65);
  expect(JSON.parse(text)).toMatchObject({ items: 300, lost: [{ stream: 'chat', item: 'item-33' }] });
  const again = await run(`${path}.b`, true);
  expect({ code: again.code, answer: JSON.parse(again.text) }).toMatchObject({
    code: 1,
    answer: { ok: false, error: { code: 'DIRECTORY_NOT_EMPTY' } },
  });
  expect(existsSync(join(`${path}.a`, 'rivulet-store.json'))).toBe(true);
  expect(await run('/proc', false)).toMatchObject({ code: 1 });
});
