import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StoreFactory, storeContract } from '@rivulet/conformance/store-contract';
import type { Commit, StreamStore } from '@rivulet/engine/store';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createStore } from '../../redacting-adapter.mjs';

const GROUP = { stream: 'orders', group: 'open' };
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const options = (config: Readonly<Record<string, unknown>>, now: () => number = Date.now) => ({
  config,
  clock: { now, monotonic: () => performance.now() },
  logger: silent,
  tombstoneRetentionMs: 7 * 86_400_000,
});

function lmdbFactory(): StoreFactory {
  let directory = '';
  const open = async (now: () => number) => await createStore(options({ path: join(directory, 'kept'), mask: ['card'] }, now));
  return {
    persistent: true,
    create: async (now) => {
      directory = await mkdtemp(join(tmpdir(), 'rivulet-redacting-'));
      return open(now);
    },
    reopen: open,
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}

describe('the contract of a store: redacting, before LMDB', () => {
  test.each([...storeContract])('$title', (clause) => clause.run(lmdbFactory()));
});

describe('the contract of a store: redacting, before memory', () => {
  const create = async (now: () => number) => await createStore(options({ mask: ['card'], drop_events: ['noise'] }, now));
  const factory = { persistent: false, create, reopen: create, dispose: () => Promise.resolve() };
  test.each(storeContract.filter(({ persistent }) => !persistent))('$title', (clause) => clause.run(factory));
});

describe('what leaves a redacting store', () => {
  async function started(): Promise<{ store: StreamStore; commits: Commit[] }> {
    const store = await createStore(options({ mask: ['card', '__proto__'], drop_events: ['noise'] }));
    const commits: Commit[] = [];
    await store.start({ onCommit: (commit) => commits.push(commit), onBreak() {} });
    onTestFinished(() => store.close());
    return { store, commits };
  }
  const set = (store: StreamStore, data: string) => store.apply({ kind: 'set', ...GROUP, item: 'o1', data });

  test.each([
    ['{"card":"4111-1111-1111"}', '{"card":"***"}'],
    ['{"c\\u0061rd":"4111-1111-1111"}', '{"card":"***"}'],
    ['{"n":[{"by":{"card":{"no":"4111-1111-1111"}}}],"s":"card"}', '{"n":[{"by":{"card":"***"}}],"s":"card"}'],
    ['{"__proto__":"4111-1111-1111","a":1}', '{"__proto__":"***","a":1}'],
    ['[["card","4112"]]', '[["card","4112"]]'],
    ['{ "kept" : 1.0 }', '{ "kept" : 1.0 }'],
    ['"card"', '"card"'],
  ])('%s leaves as %s, wherever it leaves', async (data, masked) => {
    const { store, commits } = await started();
    const first = await set(store, data);
    const second = await set(store, data);
    if (first.kind !== 'applied' || second.kind !== 'applied') throw new Error('not written');
    const snapshot = await store.snapshot(GROUP);
    const changes = await store.changes(GROUP, first.position);
    if (changes.kind === 'stale') throw new Error('stale');
    const chunks = [];
    for await (const chunk of snapshot.chunks()) chunks.push(...chunk);
    for await (const chunk of changes.chunks()) chunks.push(...chunk);
    const read = (await store.get(GROUP, 'o1')).value?.data;
    const unchanged = await store.apply({ kind: 'update', ...GROUP, item: 'o1', compute: () => undefined });
    await store.apply({ kind: 'event', ...GROUP, item: undefined, type: 'paid', data });
    const deleted = await store.apply({ kind: 'delete', ...GROUP, item: 'o1' });
    const texts = [first.new, second.old, second.new, read, unchanged.old, deleted.old];
    texts.push(...chunks.map((each) => ('data' in each ? each.data : 'deleted')));
    texts.push(...commits.flatMap((commit) => [commit.data, commit.old]));
    expect(texts.filter((text) => text !== undefined)).toHaveLength(14);
    expect(new Set(texts)).toEqual(new Set([masked, undefined]));
  });

  test('what a write answers is masked too: results, conflicts, and what a key remembers', async () => {
    const { store } = await started();
    const data = '{"card":"4111-1111-1111"}';
    const change = { kind: 'set', item: 'o1', data } as const;
    const once = { key: 'k', fingerprint: 'f', retentionMs: 60_000, answer: (result: object) => JSON.stringify(result) };
    const write = () => store.write?.({ kind: 'write', ...GROUP, changes: [change], batch: true, once });
    const results = [
      await write(),
      await write(),
      await store.write?.({ kind: 'write', ...GROUP, changes: [{ ...change, condition: { kind: 'absent' } }], batch: false }),
    ];
    expect(results.map((result) => result?.kind)).toEqual(['written', 'replayed', 'conflict']);
    for (const result of results) {
      expect(JSON.stringify(result)).toContain('***');
      expect(JSON.stringify(result)).not.toContain('4111-1111-1111');
    }
    const noise = { kind: 'event', item: undefined, type: 'noise', data: 'null' } as const;
    expect(await store.write?.({ kind: 'write', ...GROUP, changes: [noise], batch: false })).toEqual({
      kind: 'written',
      results: [{ kind: 'unchanged', old: undefined, version: undefined }],
    });
  });

  test('an update computes with what is stored', async () => {
    const { store, commits } = await started();
    await set(store, '{"card":"4111-1111-1111"}');
    const seen: unknown[] = [];
    await store.apply({
      kind: 'update',
      ...GROUP,
      item: 'o1',
      compute: (old) => {
        seen.push(old);
        return '{"card":"4112"}';
      },
    });
    expect(seen).toContain('{"card":"4111-1111-1111"}');
    expect(commits.at(-1)).toMatchObject({ data: '{"card":"***"}', old: '{"card":"***"}' });
  });

  test('a dropped event takes no offset', async () => {
    const { store, commits } = await started();
    const send = (type: string) => store.apply({ kind: 'event', ...GROUP, item: undefined, type, data: 'null' });
    await send('paid');
    expect(await send('noise')).toEqual({ kind: 'unchanged', old: undefined });
    await send('paid');
    expect(commits.map(({ position, eventType }) => [position.offset, eventType])).toEqual([
      [1, 'paid'],
      [2, 'paid'],
    ]);
  });

  test.each([
    [{ masks: ['card'] }, 'unknown key "masks"'],
    [{ mask: 'card' }, 'mask must be a list'],
    [{ mask: ['id'] }, 'may not hold id'],
    [{ drop_events: [7] }, 'drop_events must be a list'],
    [{ path: 7 }, 'path must be the directory'],
  ])('the config %j is refused with what to do', (config, reason) => {
    expect(() => createStore(options(config))).toThrow(reason);
  });
});
