import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Commit, StreamStore, WritableStore, WriteChange } from '@rivulet/engine/store';
import { createRedisStore, type RedisStoreOptions } from '@rivulet/engine/stores';
import { RedisCluster } from '@rivulet/testkit/redis/redis-cluster';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { slotOf } from '../../src/store/redis/connection/hash-slots.js';
import { addressOf } from '../../src/store/redis/connection/topology.js';
import { RedisKeys } from '../../src/store/redis/keys.js';

const PREFIX = 'faults';
const ref = (group: string) => ({ stream: 's', group });
const keysOf = (group: string) => new RedisKeys(PREFIX, '0').of(ref(group));
const slotOfGroup = (group: string) => slotOf(keysOf(group).channel);

type GroupStep = { readonly breaks: string[]; readonly commits: Commit[] };

async function open(where: Pick<RedisStoreOptions, 'url' | 'servers'>, commandTimeoutMs = 2_000): Promise<WritableStore & GroupStep> {
  const told: GroupStep = { breaks: [], commits: [] };
  const store = createRedisStore({
    ...where,
    keyPrefix: PREFIX,
    connectTimeoutMs: 5_000,
    commandTimeoutMs,
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

/** Returns a group on each primary. */
const groupsOf = (cluster: RedisCluster) =>
  cluster.primaries.map((primary) => {
    for (let n = 0; ; n++) if (cluster.primaryOf(slotOfGroup(`g${n}`)) === primary) return `g${n}`;
  });

const set = (store: StreamStore, group: string, item = 'm') =>
  store.apply({ kind: 'set', ...ref(group), item, data: `"${randomUUID()}"` }).then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code,
  );

/**
 * Resolves when the write succeeds. A store fails at once while its server is unavailable, so a loop without pauses would starve the rest.
 */
const worksAgain = (write: () => Promise<string | undefined>) => expect.poll(write, { interval: 10 }).toBeUndefined();

test('engines go on together when the name of the history of their Redis changes under one of them', async () => {
  const server = await RedisServer.start();
  onTestFinished(() => server.dispose());
  const first = await open({ url: server.url });
  await first.watch(ref('g'));
  expect(await set(first, 'g')).toBeUndefined();
  // The first replica changes the name of the history, without a disconnect.
  const named = () => /master_replid:\w+/.exec(server.command('INFO', 'replication'))?.[0];
  const before = named();
  const replica = await RedisServer.start(['--save', '', '--replicaof', '127.0.0.1', String(server.port)]);
  onTestFinished(() => replica.dispose());
  await expect.poll(named).not.toBe(before);
  const second = await open({ url: server.url });
  for (let n = 0; n < 10; n++) expect([await set(first, 'g'), await set(second, 'g')]).toEqual([undefined, undefined]);
  expect(first.breaks.length).toBeLessThanOrEqual(1);
});

test('looking after more groups than commands may wait takes the way to the server from nobody', async () => {
  const server = await RedisServer.start();
  onTestFinished(() => server.dispose());
  // A thousand watches at a time take a busy machine more than the 2 s of the other tests.
  const store = await open({ url: server.url }, 30_000);
  const groups = Array.from({ length: 70_000 }, (_, n) => `g${n}`);
  for (let at = 0; at < groups.length; at += 1_000) await Promise.all(groups.slice(at, at + 1_000).map((group) => store.watch(ref(group))));
  // The store compares watched groups with the server every 10 s.
  const failed: unknown[] = [];
  for (const end = performance.now() + 11_000; performance.now() < end; ) {
    const code = await set(store, 'g1');
    if (code !== undefined) failed.push(code);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(failed).toEqual([]);
});

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
  await worksAgain(() => set(store, group));
});

test('a server that stands still holds up neither the way back to another one nor a slot that moves between others', async () => {
  const cluster = await startCluster(4);
  const [standing = '', group = '', moving = ''] = groupsOf(cluster);
  const [still, other, from] = cluster.primaries as unknown as [RedisServer, RedisServer, RedisServer];
  // A busy machine may need more than the 2 s of the other tests for a command that a server answers.
  const store = await open(whereOf(cluster), 10_000);
  still.pause();
  try {
    // Its own groups fail in time, and the store searches the server from then on.
    expect(await set(store, standing)).toBe('STORE_UNAVAILABLE');
    other.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await worksAgain(() => set(store, group));
    cluster.moveSlot(slotOfGroup(moving), from, other);
    expect(await set(store, moving)).toBeUndefined();
  } finally {
    still.resume();
  }
});

test('a dead node is noticed while a server is unavailable, and its leases at the other servers end', async () => {
  const cluster = await startCluster(3);
  const nodes = new RedisKeys(PREFIX, '0').nodes;
  const away = cluster.primaries.find((server) => server !== cluster.primaryOf(slotOf(nodes)));
  const group = groupsOf(cluster)[cluster.primaries.findIndex((server) => server !== away)] ?? '';
  const [home, at] = [cluster.primaryOf(slotOf(nodes)), cluster.primaryOf(slotOfGroup(group))];
  const store = await open(whereOf(cluster));
  // This is the state after the death of an engine whose leased item has almost no grace time.
  const held: WriteChange = { kind: 'set', item: 'held', data: '1', expiry: { kind: 'held', graceMs: 100 } };
  await store.write({ kind: 'write', ...ref(group), batch: false, changes: [held] });
  const { holders, shared, name } = keysOf(group);
  const holder = at?.command('HGET', holders, 'held') ?? '';
  at?.command('HSET', holders, 'held', 'ghost');
  at?.command('RENAME', `${shared.held}${holder}`, `${shared.held}ghost`);
  expect(at?.command('ZRANGE', `${shared.held}ghost`, '0', '-1')).toContain(name);
  await away?.kill();
  home?.command('ZADD', nodes, '1', 'ghost');
  await expect.poll(async () => (await store.get(ref(group), 'held')).value).toBeUndefined();
});

test('a server that asks to go on at another one is not followed there', async () => {
  const [server, other] = await Promise.all([RedisServer.start(), RedisServer.start()]);
  onTestFinished(() => Promise.all([server.dispose(), other.dispose()]).then(() => {}));
  const sockets: Socket[] = [];
  const proxy = createServer((socket) => {
    const upstream = connect(server.port, '127.0.0.1');
    for (const each of [socket, upstream]) each.on('error', () => {});
    socket.pipe(upstream).pipe(socket);
    sockets.push(socket);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => void proxy.close());
  const store = await open({ url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
  expect(await set(store, 'g', 'kept')).toBeUndefined();
  const to = `127.0.0.1:${other.port}`;
  for (const socket of sockets) socket.write(`>4\r\n$6\r\nMOVING\r\n:1\r\n:0\r\n$${to.length}\r\n${to}\r\n`);
  for (let n = 0; n < 50; n++) await worksAgain(() => set(store, 'g', 'after'));
  expect((await store.get(ref('g'), 'kept')).value).toBeDefined();
  expect(other.command('DBSIZE')).toBe('0');
});

test.each(['[::1]:7000', '::1:7000'])('the node %s is the host that it says', (node) => {
  expect(addressOf('rediss://me:secret@cache:6379', node)).toBe('rediss://me:secret@[::1]:7000');
});

test.each(['a]b:7000', ':7000', 'a b:1'])('%s is no node', (node) => {
  expect(() => addressOf('redis://cache:6379', node)).toThrow('is not host:port');
});

test('while a slot moves a batch for it is refused as a whole', async () => {
  const cluster = await startCluster(2);
  const [group = ''] = groupsOf(cluster);
  const [from, to] = cluster.primaries as unknown as [RedisServer, RedisServer];
  const store = await open(whereOf(cluster));
  const write = (...changes: Parameters<WritableStore['write']>[0]['changes']) =>
    store.write({ kind: 'write', ...ref(group), batch: true, changes });
  // A group with a value under each of its keys, so that no key of a script is missing.
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
});

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
  await expect.poll(async () => (await store.get(ref(there), 'soon')).value).toBeUndefined();
});
