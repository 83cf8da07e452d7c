import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StoreFactory, storeContract } from '@rivulet/conformance/store-contract';
import type { StreamStore } from '@rivulet/engine/store';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createStore } from '../../sql-adapter.mjs';

const WEEK = 7 * 86_400_000;
const GROUP = { stream: 'chat', group: 'room' };
const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function open(file: string, now: () => number = Date.now, more: Readonly<Record<string, unknown>> = {}): Promise<StreamStore> {
  const clock = { now, monotonic: () => performance.now() };
  return await createStore({ config: { file, ...more }, clock, logger: silent, tombstoneRetentionMs: WEEK });
}

function sqlFactory(): StoreFactory {
  let directory = '';
  const file = () => join(directory, 'data', 'streams.sqlite');
  return {
    persistent: true,
    create: async (now) => {
      directory = await mkdtemp(join(tmpdir(), 'rivulet-sql-'));
      return open(file(), now);
    },
    reopen: (now) => open(file(), now),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}

describe('the contract of a store: SQL', () => {
  test.each([...storeContract])('$title', (clause) => clause.run(sqlFactory()));
});

describe('what the contract leaves to the store', () => {
  async function started(now: () => number = Date.now): Promise<{ store: StreamStore; file: string; commits: string[] }> {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-sql-'));
    const file = join(directory, 'streams.sqlite');
    const store = await open(file, now);
    const commits: string[] = [];
    onTestFinished(async () => {
      await store.close();
      await rm(directory, { recursive: true });
    });
    await store.start({ onCommit: ({ data }) => commits.push(data), onBreak() {} });
    return { store, file, commits };
  }
  const set = (store: StreamStore, item: string, data: string) => store.apply({ kind: 'set', ...GROUP, item, data });

  test('a database has one user at a time, and says who it is', async () => {
    const { file } = await started();
    const second = await open(file);
    await expect(second.start({ onCommit() {}, onBreak() {} })).rejects.toThrow('is in use by this process already');
    await second.close();
    const third = await open(file);
    await expect(third.start({ onCommit() {}, onBreak() {} })).rejects.toThrow('is in use by this process already');
  });

  test('tombstones are forgotten after the retention, and positions before them are stale', async () => {
    let now = 1_700_000_000_000;
    const { store, file } = await started(() => now);
    const first = await set(store, 'a', '1');
    await store.apply({ kind: 'delete', ...GROUP, item: 'a' });
    const last = await set(store, 'b', '2');
    await store.close();
    now += WEEK + 1;
    const again = await open(file, () => now);
    await again.start({ onCommit() {}, onBreak() {} });
    if (first.kind !== 'applied' || last.kind !== 'applied') throw new Error('not written');
    expect(await again.changes(GROUP, first.position)).toEqual({ kind: 'stale', reason: 'floor' });
    expect(await again.changes(GROUP, last.position)).toMatchObject({ kind: 'changes', position: last.position });
    await again.close();
  });

  test('changes are those of one moment too, whatever is written between two pieces', async () => {
    const { store } = await started();
    const first = await set(store, 'm', '0');
    if (first.kind !== 'applied') throw new Error('not written');
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => set(store, `m${n}`, String(n))));
    const changes = await store.changes(GROUP, first.position);
    if (changes.kind !== 'changes') throw new Error('stale');
    const seen: string[] = [];
    for await (const chunk of changes.chunks()) {
      if (seen.length === 0) await Promise.all([set(store, 'm999', '"late"'), set(store, 'm0', '"late"')]);
      seen.push(...chunk.map((entry) => (entry.kind === 'item' ? entry.data : 'deleted')));
    }
    changes.close();
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, n) => String(n)));
  });

  test('a full database refuses what has no room, and nothing else: no offset is lost, no item half there', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-sql-'));
    const store = await open(join(directory, 'streams.sqlite'), Date.now, { max_bytes: 1_048_576 });
    onTestFinished(async () => {
      await store.close();
      await rm(directory, { recursive: true });
    });
    const offsets: number[] = [];
    await store.start({ onCommit: ({ position }) => offsets.push(position.offset), onBreak() {} });
    const large = JSON.stringify('x'.repeat(100_000));
    // All changes share one transaction, which fails as a whole at first.
    const writes = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => set(store, `m${n}`, n % 2 === 0 ? large : '1')));
    const refused = writes.filter((write) => write.status === 'rejected');
    expect(refused.length).toBeGreaterThan(5);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'STORE_FULL' });
    expect(writes.every(({ status }, n) => n % 2 === 0 || status === 'fulfilled')).toBe(true);
    expect(offsets).toEqual(Array.from({ length: 40 - refused.length }, (_, n) => n + 1));
    const kept: string[] = [];
    const snapshot = await store.snapshot(GROUP);
    for await (const chunk of snapshot.chunks()) kept.push(...chunk.map(({ item }) => item));
    expect(kept).toEqual(writes.flatMap(({ status }, n) => (status === 'fulfilled' ? [`m${n}`] : [])));
  });

  test('writes beyond the queue are refused, and the store goes on', async () => {
    const { store, commits } = await started();
    const writes = await Promise.allSettled(Array.from({ length: 65_600 }, () => store.apply({ kind: 'delete', ...GROUP, item: 'none' })));
    const refused = writes.filter((write) => write.status === 'rejected');
    expect(refused).toHaveLength(64);
    expect(refused[0]).toMatchObject({ reason: { code: 'OVERLOADED' } });
    await set(store, 'm', '1');
    expect(commits).toEqual(['1']);
  });

  test.each([
    [{}, 'set config.file'],
    [{ file: 7 }, 'set config.file'],
    [{ file: './a', path: 1 }, 'unknown key "path"'],
    [{ file: './a', max_bytes: 1 }, 'max_bytes must be'],
  ])('the config %j is refused with what to do', (config, reason) => {
    const options = { config, clock: { now: Date.now, monotonic: () => 0 }, logger: silent, tombstoneRetentionMs: 1 };
    expect(() => createStore(options)).toThrow(reason);
  });
});
