import type { Commit, StreamStore } from '@rivulet/engine/store';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { expireNow, lmdbFactory, memoryFactory, redisFactory } from '@rivulet/testkit/stores/store-factories';
import { afterAll, beforeAll, expect, test } from 'vitest';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

const GROUP = { stream: 'chat', group: 'lobby' };
let passed = 0;
const monotonic = () => performance.now() + passed;
const STORES = {
  memory: () => memoryFactory(monotonic),
  lmdb: () => lmdbFactory('commit', monotonic),
  redis: () => redisFactory(server, monotonic),
};

test.each(Object.keys(STORES) as (keyof typeof STORES)[])('%s says why an item was deleted', async (kind) => {
  const factory = STORES[kind]();
  passed = 0;
  const bounds = { maxItems: 3, maxAgeMs: 60_000, onFull: 'delete_oldest' } as const;
  const store: StreamStore = await factory.create(Date.now, (stream) => (stream === GROUP.stream ? bounds : undefined));
  const reasons: [item: string | undefined, reason: Commit['deletedBy']][] = [];
  const onCommit = ({ item, effect, deletedBy }: Commit) => {
    if (effect === 'delete' || deletedBy !== undefined) reasons.push([item, deletedBy]);
  };
  await store.start({ onCommit, onBreak() {} });
  try {
    const set = (item: string, more: object = {}) =>
      store.write?.({ kind: 'write', ...GROUP, batch: false, changes: [{ kind: 'set', item, data: '1', ...more }] });
    await store.watch(GROUP);
    await set('called');
    await store.apply({ kind: 'delete', ...GROUP, item: 'called' });
    await set('leased');
    await store.write?.({ kind: 'write', ...GROUP, batch: false, changes: [{ kind: 'delete', item: 'leased', by: 'lease' }] });
    await set('oldest');
    await set('short', { expiry: { kind: 'ttl', ms: 1_000 } });
    await set('aged');
    await set('newest');
    passed = 2_000;
    await expireNow(store);
    await set('newest');
    passed = 61_000;
    await expireNow(store);
    expect(reasons).toEqual([
      ['called', undefined],
      ['leased', 'lease'],
      ['oldest', 'bound'],
      ['short', 'ttl'],
      ['aged', 'bound'],
    ]);
  } finally {
    await store.close();
    await factory.dispose();
  }
});
