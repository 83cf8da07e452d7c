import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { GROUP } from '@rivulet/conformance/store-contract/factory';
import { expect, test } from 'vitest';
import { checkCommand } from '../../src/cli/store/check.js';
import { silentLogger } from '../../src/logging/logger.js';
import { checkDirectory } from '../../src/store/lmdb/checking/check-directory.js';
import { inlinePreflight } from '../../src/store/lmdb/checking/preflight.js';
import { decodeHead, encodeHead } from '../../src/store/lmdb/tables/records.js';
import type { WritableStore } from '../../src/store/store.js';
import { aged, damage, RETENTION, rewrite } from '../aged-store.js';

const PAGE = 4_096;

/** Returns a closed store with big values, tombstones, times to live and idempotency keys, and a copy of its file for each round. */
async function closedStore() {
  const { path, time, start } = await aged();
  const file = join(path, 'data.mdb');
  const copies: Buffer[] = [];
  for (let round = 0; round < 3; round++) {
    const opened = await start();
    for (const group of ['room-1', 'room-2', 'room-3']) {
      const ref = { ...GROUP, group };
      for (let n = 0; n < 60; n++)
        await opened.set(`item-${n}`, JSON.stringify({ n, round, text: 'x'.repeat(n === 7 ? 20_000 : 50) }), ref);
      await opened.delete('item-3', ref);
      const once = { key: `k-${round}`, retentionMs: 1_000_000, fingerprint: 'f', answer: () => 'a' };
      const expiry = { kind: 'ttl', ms: 10_000_000 } as const;
      await (opened.store as WritableStore).write({
        kind: 'write',
        ...ref,
        changes: [{ kind: 'set', item: `t-${round}`, data: '1', expiry }],
        batch: false,
        once,
      });
    }
    time.now += RETENTION * 2;
    if (round === 1) await opened.sweep();
    await opened.store.close();
    copies.push(readFileSync(file));
  }
  return { path, file, copies };
}

function overwrite(file: string, page: number, bytes: Buffer): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, bytes, 0, bytes.length, page * PAGE);
  closeSync(handle);
}

/** Runs `rivulet check` on a directory. */
async function check(path: string, json: boolean) {
  const out: string[] = [];
  const input = { words: [path], flag: () => json, value: () => undefined, values: () => [] };
  const write = (text: string) => void out.push(text);
  const code = await checkCommand.run(input, { cwd: '/', env: {}, isTerminal: false, out: write, err: write });
  return { code, text: out.join('') };
}

test('a sound store has no findings: each page is in use or free, and all links agree', async () => {
  const { path } = await closedStore();
  const { findings, lostPages, groups, items, pages, freePages } = checkDirectory(path);
  expect(findings.list).toEqual([]);
  expect({ lostPages, groups, items }).toEqual({ lostPages: 0, groups: 3, items: 3 * 62 });
  expect(freePages).toBeLessThan(pages);
  expect(await check(path, false)).toMatchObject({ code: 0, text: expect.stringContaining('sound\n  186 items in 3 groups') });
});

test('a flipped bit in a value is a damaged record of that item, with which the engine may start', async () => {
  const { path } = await closedStore();
  await damage(path, 'items', (index) => index === 2);
  const { findings } = checkDirectory(path);
  expect(findings.list.filter(({ kind }) => kind === 'record')).toMatchObject([{ table: 'items', ...GROUP, group: 'room-1' }]);
  expect(findings.areBlocking).toBe(false);
  const { code, text } = await check(path, true);
  expect(code).toBe(65);
  expect(JSON.parse(text)).toMatchObject({ stores: [{ verdict: 'damaged', list: [{ table: 'items' }, {}] }] });
});

test('a group that counts its bytes wrongly is a finding, with which the engine starts', async () => {
  const { path, start } = await aged();
  const opened = await start(() => ({ maxBytes: 10_000, onFull: 'refuse' }));
  for (const item of ['a', 'b', 'ç']) await opened.set(item, '"ä"');
  await opened.set('b', '"longer"');
  await opened.delete('a');
  await opened.store.close();
  expect(checkDirectory(path).findings.list).toEqual([]);
  const counted: (number | undefined)[] = [];
  await rewrite(path, 'heads', (key, record) => {
    const head = decodeHead(key, record);
    counted.push(head.bytes);
    return encodeHead(key, { ...head, bytes: (head.bytes ?? 0) + 7 });
  });
  // The ids b and ç, and their values "longer" and "ä".
  expect(counted).toEqual([1 + 8 + 2 + 4]);
  const problem = 'the head of the group counts 22 bytes, and its items have 15';
  const { findings } = checkDirectory(path);
  expect(findings.list).toEqual([{ kind: 'count', table: 'heads', problem, ...GROUP }]);
  expect(findings.areBlocking).toBe(false);
  expect(await check(path, false)).toMatchObject({ code: 65, text: expect.stringContaining('No item is wrong. To count a group anew') });
  const logged: object[] = [];
  inlinePreflight(
    { directory: path, scope: 'everything' },
    { ...silentLogger, error: (event, fields) => logged.push({ event, ...fields }) },
  );
  const consequence = expect.stringContaining('every item is served; max_bytes counts a group wrongly');
  expect(logged).toEqual([{ event: 'store_damaged', path, findings: 1, first: findings.list, consequence }]);
  // The bytes of a damaged item are not known, so nothing can be said about the count.
  await damage(path, 'items', (index) => index === 1);
  expect(checkDirectory(path).findings.list.map(({ kind }) => kind)).not.toContain('count');
  // The second flip of the same bit makes the item sound again.
  await damage(path, 'items', (index) => index === 1);
  for (const bounds of [undefined, { maxBytes: 10_000, onFull: 'refuse' } as const]) {
    expect(checkDirectory(path).findings.list).toHaveLength(bounds === undefined ? 1 : 0);
    const again = await start(() => bounds);
    await again.set('b', '"other"');
    await again.store.close();
  }
  expect(checkDirectory(path).findings.list).toEqual([]);
});

test('every zeroed page, and every page of an older copy that differs, is harmless or found', async () => {
  const { path, file, copies } = await closedStore();
  const [old, , whole] = copies as [Buffer, Buffer, Buffer];
  const pages = whole.length / PAGE;
  const unseen = { zeroed: new Set<number>(), stale: new Set<number>() };
  const { freePages } = checkDirectory(path);
  for (const [name, source] of [
    ['zeroed', Buffer.alloc(whole.length)],
    ['stale', old],
  ] as const) {
    for (let page = 0; page < pages; page++) {
      const bytes = source.subarray(page * PAGE, (page + 1) * PAGE);
      if (bytes.length < PAGE || bytes.equals(whole.subarray(page * PAGE, (page + 1) * PAGE))) continue;
      overwrite(file, page, bytes);
      const { findings } = checkDirectory(path);
      if (findings.count === 0) unseen[name].add(page);
      overwrite(file, page, whole.subarray(page * PAGE, (page + 1) * PAGE));
    }
  }
  // Free pages have no meaning. Some of them are zeroes already.
  expect(unseen.zeroed.size).toBeLessThanOrEqual(freePages);
  expect([...unseen.stale].filter((page) => !unseen.zeroed.has(page))).toEqual([]);
});

test('a shortened file, a foreign file and a missing marker are findings, not errors', async () => {
  const { path, file, copies } = await closedStore();
  const whole = copies[2] as Buffer;
  for (const bytes of [0, 100, 5_000, whole.length / 2, whole.length - 1]) {
    writeFileSync(file, whole);
    truncateSync(file, bytes);
    expect(checkDirectory(path).findings.areBlocking).toBe(true);
  }
  for (const text of ['', 'this is no database', '{"a":1}'.repeat(10_000)]) {
    writeFileSync(file, text);
    expect(checkDirectory(path).findings.areBlocking).toBe(true);
  }
  writeFileSync(file, whole);
  for (const marker of ['', '{"format":99,"storeId":"x"}', 'x']) {
    writeFileSync(join(path, 'rivulet-store.json'), marker);
    expect((await check(path, false)).code).toBe(65);
  }
  expect((await check('/proc/self/fdinfo', false)).code).toBe(1);
});
