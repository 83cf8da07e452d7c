import { randomUUID } from 'node:crypto';
import type { Commit, StreamStore, WritableStore } from '@rivulet/engine/store';
import { createRedisStore, type RedisStoreOptions } from '@rivulet/engine/stores';
import { expect, onTestFinished, test } from 'vitest';
import { RedisCluster } from '../../checker/src/live/redis-cluster.js';
import { RedisServer } from '../../checker/src/live/redis-server.js';
import { silentLogger } from '../../engine/src/logging/logger.js';
import { slotOf } from '../../engine/src/storage/redis-slots.js';
import { RedisKeys } from '../../engine/src/store/store-redis-keys.js';
import { again } from './harness/redis-nodes.js';

const PREFIX = 'faults';
const ref = (group: string) => ({ stream: 's', group });
const keysOf = (group: string) => new RedisKeys(PREFIX, '0').of(ref(group));
const slotOfGroup = (group: string) => slotOf(keysOf(group).channel);

type Told = { readonly breaks: string[]; readonly commits: Commit[] };

async function open(where: Pick<RedisStoreOptions, 'url' | 'servers'>): Promise<WritableStore & Told> {
  const told: Told = { breaks: [], commits: [] };
  const store = createRedisStore({
    ...where,
    keyPrefix: PREFIX,
    connectTimeoutMs: 5_000,
    commandTimeoutMs: 2_000,
    tombstoneRetentionMs: 604_800_000,
    clock: { now: Date.now, monotonic: () => performance.now() },
    logger: silentLogger,
  });
  await store.start({
    onCommit: (commit) => void told.commits.push(commit),
    onBreak: (_ref, reason) => void told.breaks.push(reason),
  });
  onTestFinished(() => store.close());
  return Object.assign(store, told);
}

async function startCluster(size: number): Promise<RedisCluster> {
  const cluster = await RedisCluster.start(size);
  onTestFinished(() => cluster.dispose());
  return cluster;
}

const whereOf = ({ nodes }: RedisCluster) => ({ url: 'redis://127.0.0.1', servers: { kind: 'cluster', nodes } }) as const;

/** A group of each primary. */
const groupsOf = (cluster: RedisCluster) =>
  cluster.primaries.map((primary) => {
    for (let n = 0; ; n++) if (cluster.primaryOf(slotOfGroup(`g${n}`)) === primary) return `g${n}`;
  });

const set = (store: StreamStore, group: string, item = 'm') =>
  store.apply({ kind: 'set', ...ref(group), item, data: `"${randomUUID()}"` }).then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code,
  );

test('engines go on together when the name of the history of their Redis changes under one of them', async () => {
  const server = await RedisServer.start();
  onTestFinished(() => server.dispose());
  const first = await open({ url: server.url });
  await first.watch(ref('g'));
  expect(await set(first, 'g')).toBeUndefined();
  // The first replica gives the history another name, and nobody is disconnected.
  const named = () => /master_replid:\w+/.exec(server.command('INFO', 'replication'))?.[0];
  const before = named();
  const replica = await RedisServer.start(['--save', '', '--replicaof', '127.0.0.1', String(server.port)]);
  onTestFinished(() => replica.dispose());
  await expect.poll(named, { timeout: 10_000 }).not.toBe(before);
  const second = await open({ url: server.url });
  for (let n = 0; n < 10; n++) expect([await set(first, 'g'), await set(second, 'g')]).toEqual([undefined, undefined]);
  expect(first.breaks.length).toBeLessThanOrEqual(1);
}, 30_000);

test('a slot that nobody has is used again when somebody has it', async () => {
  const cluster = await startCluster(2);
  const [group = ''] = groupsOf(cluster);
  const [, other] = cluster.primaries;
  const store = await open(whereOf(cluster));
  expect(await set(store, group)).toBeUndefined();
  const slot = slotOfGroup(group);
  for (const server of cluster.primaries) server.command('CLUSTER', 'DELSLOTS', String(slot));
  expect(await set(store, group)).toBe('STORE_UNAVAILABLE');
  other?.command('CLUSTER', 'ADDSLOTS', String(slot));
  await again(() => set(store, group));
}, 30_000);

test('while a slot moves a batch for it is refused as a whole', async () => {
  const cluster = await startCluster(2);
  const [group = ''] = groupsOf(cluster);
  const [from, to] = cluster.primaries as unknown as [RedisServer, RedisServer];
  const store = await open(whereOf(cluster));
  const write = (...changes: Parameters<WritableStore['write']>[0]['changes']) =>
    store.write({ kind: 'write', ...ref(group), batch: true, changes });
  // A group that has something under each of its keys, so that nothing that a script names is missing.
  await write(
    { kind: 'set', item: 'm', data: '1' },
    { kind: 'set', item: 'gone', data: '1' },
    { kind: 'set', item: 'ttl', data: '1', expiry: { kind: 'ttl', ms: 600_000 } },
    { kind: 'set', item: 'held', data: '1', expiry: { kind: 'held', graceMs: 1_000 } },
  );
  await store.apply({ kind: 'delete', ...ref(group), item: 'gone' });
  const slot = String(slotOfGroup(group));
  to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.command('CLUSTER', 'MYID'));
  from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.command('CLUSTER', 'MYID'));
  await expect(write({ kind: 'set', item: 'm', data: '2' }, { kind: 'set', item: 'held', data: '2' })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  });
  for (const server of [from, to]) server.command('CLUSTER', 'SETSLOT', slot, 'STABLE');
  expect((await store.get(ref(group), 'm')).value?.data).toBe('1');
  expect((await store.get(ref(group), 'held')).value?.data).toBe('1');
}, 30_000);

test('what has a time to live at a server goes although another one is away', async () => {
  const cluster = await startCluster(3);
  const [away = '', there = ''] = groupsOf(cluster);
  const store = await open(whereOf(cluster));
  for (const group of [away, there])
    await store.write({
      kind: 'write',
      ...ref(group),
      batch: false,
      changes: [{ kind: 'set', item: 'soon', data: '1', expiry: { kind: 'ttl', ms: 500 } }],
    });
  await cluster.primaries[0]?.kill();
  await expect.poll(async () => (await store.get(ref(there), 'soon')).value, { timeout: 10_000 }).toBeUndefined();
}, 30_000);
