import { describe, expect, it } from 'vitest';
import type { PersistBatch, PersistStore } from '../../src/index.js';
import { PersistentCopy } from '../../src/persistence/persistent-copy.js';
import { Replica } from '../../src/subscription/replica.js';
import { connectTo, errorOf, FakeEngine } from '../fake-engine.js';
import { failure, resumed, sync, update } from '../frames.js';
import { TestClock } from '../test-clock.js';
import { type Chat, texts, ViewLog } from '../watch.js';

/** A store that keeps records in memory, with the rules of IndexedDB. */
class MemoryStore implements PersistStore {
  readonly records = new Map<string, { head: unknown; items: Map<string, unknown> }>();
  readonly batches: PersistBatch[] = [];
  discarded = 0;

  load(key: string) {
    const record = this.records.get(key);
    return Promise.resolve(record === undefined ? undefined : { head: record.head, items: [...record.items.values()] });
  }

  save(key: string, batch: PersistBatch, mayWrite: (kept: unknown) => boolean) {
    const record = this.records.get(key) ?? { head: undefined, items: new Map<string, unknown>() };
    if (!mayWrite(record.head)) return Promise.resolve(false);
    this.batches.push(batch);
    if (batch.whole) record.items.clear();
    for (const item of batch.puts) record.items.set(item.id, item);
    for (const id of batch.removes) record.items.delete(id);
    this.records.set(key, { head: batch.head, items: record.items });
    return Promise.resolve(true);
  }

  discard(key: string) {
    this.discarded++;
    this.records.delete(key);
    return Promise.resolve();
  }
}

const BOUNDS = { items: 10, chars: 1_000 };

async function copyOf(store: PersistStore, failed: (cause: unknown) => void = () => {}) {
  const clock = new TestClock();
  const replica = new Replica(() => {});
  const copy = new PersistentCopy(store, 'key', replica, clock, BOUNDS, failed);
  await copy.restore();
  return { clock, replica, copy };
}

/** Resolves when all work on a store without delays is done. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const item = (id: string, created: number, data: unknown = id) => ({ id, data, created, offset: created });
const set = (id: string, offset: number, data: unknown = offset) =>
  ({ type: 'update', streamName: 's', groupId: 'g', itemId: id, data, offset, created: undefined, through: undefined }) as const;
const remove = (id: string, offset: number) =>
  ({ type: 'delete', streamName: 's', groupId: 'g', itemId: id, data: {}, offset, created: undefined, through: undefined }) as const;

describe('a persistent copy', () => {
  it('holds a state that was true at its position; many changes are one save of what changed', async () => {
    const store = new MemoryStore();
    const { clock, replica, copy } = await copyOf(store);
    replica.replace([item('b', 1), item('a', 2)], { epoch: 'e', offset: 5 }, undefined);
    clock.pass(1_000);
    await settled();
    for (let offset = 6; offset < 100; offset++) replica.apply([set('a', offset)], offset);
    replica.apply([remove('b', 100)], 100);
    clock.pass(1_000);
    await settled();
    expect(store.batches.map(({ whole, puts, removes, head }) => [whole, puts.map(({ id }) => id), removes, head.offset])).toEqual([
      [true, ['b', 'a'], [], 5],
      [false, ['a'], ['b'], 100],
    ]);
    replica.apply([set('c', 101)], 101);
    await copy.close();
    const again = await copyOf(store);
    expect(again.replica.position).toEqual({ epoch: 'e', offset: 101 });
    expect(again.replica.mirror.items).toEqual([
      { id: 'a', data: 99, created: 2, offset: 99 },
      { id: 'c', data: 101, created: 101, offset: 101 },
    ]);
  });

  it('is left alone while another page keeps it, and taken over later', async () => {
    const store = new MemoryStore();
    const first = await copyOf(store);
    const second = await copyOf(store);
    first.replica.replace([item('a', 1)], { epoch: 'e', offset: 5 }, undefined);
    first.clock.pass(1_000);
    await settled();
    second.replica.replace([item('a', 1), item('b', 6)], { epoch: 'e', offset: 6 }, undefined);
    second.clock.pass(1_000);
    await settled();
    expect(store.batches).toHaveLength(1);
    const record = store.records.get('key');
    if (record !== undefined) record.head = { ...(record.head as object), savedAt: Date.now() - 60_000 };
    second.clock.pass(10_000);
    await settled();
    expect(store.batches.map(({ whole, head }) => [whole, head.offset])).toEqual([
      [true, 5],
      [true, 6],
    ]);
    // The difference of the first page does not fit the record of the second page.
    first.replica.apply([set('a', 7)], 7);
    first.clock.pass(1_000);
    await settled();
    expect(store.batches).toHaveLength(2);
  });

  it.each([
    ['items', () => Array.from({ length: 11 }, (_, at) => item(`m${at}`, at))],
    ['characters', () => [item('a', 1, 'x'.repeat(1_001))]],
  ])('of too many %s is none', async (_what, items) => {
    const store = new MemoryStore();
    const { clock, replica } = await copyOf(store);
    replica.replace([item('a', 1)], { epoch: 'e', offset: 20 }, undefined);
    clock.pass(1_000);
    await settled();
    replica.replace(items(), { epoch: 'e', offset: 21 }, undefined);
    clock.pass(1_000);
    await settled();
    expect(store.records.get('key')?.items.size).toBe(0);
    expect((await copyOf(store)).replica.known).toBe(false);
    replica.apply([set('a', 22)], 22);
    clock.pass(1_000);
    await settled();
    expect(store.batches).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ['is of another layout', { head: { version: 9, writer: 'w', epoch: 'e', offset: 5, savedAt: 1 }, items: [] }],
    ['has no head', { head: 'nonsense', items: [] }],
    ['has an item of the future', { head: headAt(5), items: [{ id: 'a', created: 6, offset: 6, text: '1' }] }],
    ['has an item that is no JSON', { head: headAt(5), items: [{ id: 'a', created: 1, offset: 1, text: '{' }] }],
    ['has an item that is none', { head: headAt(5), items: [null] }],
  ])('that %s is discarded', async (_what, record) => {
    const store = new MemoryStore();
    store.load = () => Promise.resolve(record);
    const failures: unknown[] = [];
    const { replica } = await copyOf(store, (cause) => failures.push(cause));
    expect([replica.known, failures.length, store.discarded]).toEqual([false, 1, 1]);
  });

  it('whose store fails is done without', async () => {
    const store = new MemoryStore();
    const failures: unknown[] = [];
    store.load = () => Promise.reject(new Error('no'));
    const { clock, replica, copy } = await copyOf(store, (cause) => failures.push(cause));
    store.save = () => Promise.reject(new Error('full'));
    replica.replace([], { epoch: 'e', offset: 1 }, undefined);
    clock.pass(1_000);
    await settled();
    await copy.close();
    expect(failures.length).toBeGreaterThan(1);
  });
});

function headAt(offset: number) {
  return { version: 1, writer: 'w', epoch: 'e', offset, savedAt: 1 };
}

describe('a client with a persistent store', () => {
  it('RV-4 shows what was kept, and joins from there', async () => {
    const store = new MemoryStore();
    const engine = await FakeEngine.start();
    const before = await connectTo(engine, { persist: store });
    before.subscribeGroup<Chat>('chat', 'r1');
    const first = await engine.peer();
    await first.next('join');
    first.send(sync(4, [['m1', 'one', 1]]));
    await before.subscribeGroup('chat', 'r1').whenLive();
    await before.close();
    const client = await connectTo(engine, { persist: store });
    const log = new ViewLog();
    const view = client.subscribeGroup<Chat>('chat', 'r1', log.listeners);
    const peer = await engine.peer();
    const join = await peer.next('join');
    expect([join.since, view.status, texts(view)]).toEqual(['e1:4', 'stale', ['m1:one']]);
    peer.send(resumed(join.subscriptionId, 'tail', 4, 5), update(5, 'm1', 'ONE'));
    await log.until(2);
    expect(log.lines).toEqual(['reset restored 4', '5 update m1 one>ONE']);
  });

  it('RV-13 keeps nothing of a group that may not be watched any more', async () => {
    const store = new MemoryStore();
    const engine = await FakeEngine.start();
    const client = await connectTo(engine, { persist: store });
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    const peer = await engine.peer();
    const join = await peer.next('join');
    peer.send(sync(4, [['m1', 'one', 1]]));
    await view.whenLive();
    const refused = errorOf(client, 'FORBIDDEN');
    peer.send(failure('FORBIDDEN', join.subscriptionId));
    await refused;
    await client.close();
    expect([store.records.size, store.discarded]).toEqual([0, 1]);
  });
});
