import { randomUUID } from 'node:crypto';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { RedisCluster } from '@rivulet/testkit/redis/redis-cluster';
import { again, bound, changesOf, numberOf, ROOM, seenBy, startNode, startPair, type Where } from '@rivulet/testkit/redis/redis-nodes';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { slotOf } from '../../src/store/redis/connection/hash-slots.js';
import { findPrimaries } from '../../src/store/redis/connection/topology.js';
import { RedisKeys } from '../../src/store/redis/keys.js';

const whereOf = ({ nodes }: RedisCluster): Where => ({
  url: 'redis://127.0.0.1',
  servers: { kind: 'cluster', nodes: nodes.slice(0, 1) },
});

const slotOfGroup = (group: string) => slotOf(new RedisKeys('any', '0').of({ stream: ROOM.stream_name, group }).channel);

/** Returns a group on each primary. */
function groupsOf(cluster: RedisCluster): readonly string[] {
  return cluster.primaries.map((primary) => {
    for (let n = 0; ; n++) if (cluster.primaryOf(slotOfGroup(`g${n}`)) === primary) return `g${n}`;
  });
}

describe('engines over a Redis Cluster of three', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start(3);
  });
  afterAll(() => cluster.dispose());

  test('keys and channels are where the servers look for them', () => {
    const keys = ['', 'a', '{}', '{}{x}', '{x}{y}', 'a{b}c', 'a{b', 'a}b{c}', '{ü}', 'ключ', `long-${'x'.repeat(500)}`];
    for (const key of [...keys, ...Array.from({ length: 50 }, () => randomUUID())])
      expect([key, slotOf(key)]).toEqual([key, Number(cluster.primaries[0]?.command('CLUSTER', 'KEYSLOT', key))]);
  });

  test('changes of groups of all servers reach the subscribers of both engines, in one order', async () => {
    const [a, b] = await startPair(whereOf(cluster));
    for (const group_id of groupsOf(cluster)) {
      const clients = await Promise.all(
        [a, b].map(async ({ streamUrl }) => {
          const client = await StreamSocket.open(`${streamUrl}/stream/chat/${group_id}`);
          await client.take('sync');
          return client;
        }),
      );
      const writes = Array.from({ length: 40 }, (_, n) =>
        (n % 2 === 0 ? a : b).worker.result('stream::set', { ...ROOM, group_id, item_id: `m${n % 5}`, data: { n } }),
      );
      await Promise.all(writes);
      for (const client of clients) await client.take('update', ({ offset }) => offset === 40);
      const [here, there] = clients.map((client) => changesOf(client).map(({ id, offset, event }) => [id, offset, event.data]));
      expect(here).toEqual(there);
      expect(here).toHaveLength(40);
    }
  });

  test('an engine is subscribed to the channels of the groups that it serves, each at its server, and to no other', async () => {
    const [a, b] = await startPair(whereOf(cluster));
    const stream = `sub-${randomUUID().slice(0, 8)}`;
    const groups = groupsOf(cluster);
    for (const group of groups) await (await StreamSocket.open(`${b.streamUrl}/stream/${stream}/${group}`)).take('sync');
    const set = (n: number) => a.worker.result('stream::set', { stream_name: stream, group_id: `g${n % 50}`, item_id: 'm', data: n });
    await Promise.all(Array.from({ length: 200 }, (_, n) => set(n)));
    const channels = cluster.primaries.flatMap((server) => server.command('PUBSUB', 'SHARDCHANNELS', `*:commits:${stream}:*`).split('\n'));
    expect(new Set(channels.filter(Boolean).map((channel) => channel.split(':').at(-1)))).toEqual(new Set(groups));
  });

  test.each([
    ['of the stream', { stream_name: 'chat' }],
    ['of all streams', {}],
  ])('a trigger %s fires once for each change, in order, whichever engine it came through', async (_which, config) => {
    const [a, b] = await startPair(whereOf(cluster));
    const events = await bound(b.worker, 'stream', config);
    await again(() => seenBy(events, a, b));
    const total = 40;
    for (let n = 0; n < total; n++) await (n % 2 === 0 ? a : b).set('m1', { n });
    await events.take((event) => numberOf(event) === total - 1, 'the last change');
    expect(events.all.filter(({ id }) => id === 'm1').map(numberOf)).toEqual(Array.from({ length: total }, (_, n) => n));
  });

  test('a stream is not followed any more when its last trigger is removed', async () => {
    const [, b] = await startPair(whereOf(cluster));
    const followed = () => cluster.primaries.map((server) => server.command('PUBSUB', 'SHARDCHANNELS', '*:followed:once')).join('\n');
    await b.worker.serve('app::once', () => null);
    await b.worker.bind('stream', 'app::once', { stream_name: 'once' }, { id: 'once' });
    await expect.poll(() => followed().split('\n').filter(Boolean).length).toBe(256);
    b.worker.send({ type: 'unregistertrigger', id: 'once', trigger_type: 'stream' });
    await expect.poll(followed).toMatch(/^\n*$/);
  });

  test('a slot that moves to another server takes its groups along, with another history; those of others go on', async () => {
    const [a, b] = await startPair(whereOf(cluster));
    const [from, to] = cluster.primaries as unknown as [RedisServer, RedisServer];
    const [moving = '', staying = ''] = groupsOf(cluster);
    const clients = await Promise.all(
      [moving, staying].map(async (group) => {
        const client = await StreamSocket.open(b.streamUrl);
        client.joinWithPositions('s1', 'chat', group);
        await client.take('sync');
        await a.worker.result('stream::set', { ...ROOM, group_id: group, item_id: 'before', data: { id: 'before' } });
        await client.take('create');
        return client;
      }),
    );
    const set = (group_id: string, item_id: string) =>
      a.worker.errorCode('stream::set', { ...ROOM, group_id, item_id, data: { id: item_id } });
    cluster.moveSlot(slotOfGroup(moving), from, to);
    for (const group of [moving, staying]) await again(() => set(group, 'after'));
    const [moved, stayed] = clients as [StreamSocket, StreamSocket];
    expect((await moved.take('sync', ({ reason }) => reason === 'epoch')).ids).toContain('before');
    await again(() => set(moving, 'last'));
    await moved.take('create', ({ id }) => id === 'last');
    await stayed.take('create', ({ id }) => id === 'after');
    expect(changesOf(stayed).map(({ id }) => id)).toEqual(['before', 'after']);
    expect(await a.worker.result('stream::list', { ...ROOM, group_id: moving })).toEqual(['before', 'after', 'last'].map((id) => ({ id })));
  });

  test('a node of it is refused where one server is expected, and the other way round', async () => {
    const [node] = cluster.primaries;
    await expect(startNode({ url: node?.url ?? '' }, 'test')).rejects.toThrow(/mode: cluster/);
    const alone = await RedisServer.start();
    try {
      const where: Where = { url: 'redis://127.0.0.1', servers: { kind: 'cluster', nodes: [`127.0.0.1:${alone.port}`] } };
      await expect(startNode(where, 'test')).rejects.toThrow(/cluster/);
    } finally {
      await alone.dispose();
    }
  });
});

test('of the nodes that answer, the one with the newest view of the cluster is believed, whichever answers first', async () => {
  // Each node has all slots in its own view, as an isolated server has after another one took its place. The second cluster has a higher
  // epoch.
  const views = await Promise.all([RedisCluster.start(1), RedisCluster.start(3)]);
  try {
    const [old, latest] = views as [RedisCluster, RedisCluster];
    for (const server of latest.servers) await latest.until(server, ['CLUSTER', 'INFO'], 'cluster_current_epoch:3');
    const times = { connectTimeoutMs: 5_000, commandTimeoutMs: 2_000 };
    for (const nodes of [
      [...old.nodes, ...latest.nodes],
      [...latest.nodes, ...old.nodes],
    ]) {
      const found = await findPrimaries({ kind: 'cluster', nodes }, 'redis://any', [], times);
      expect(found.all).toEqual(latest.nodes);
    }
  } finally {
    for (const view of views) await view.dispose();
  }
});

test('F40 a replica that takes the place of a killed server begins another history; groups of other servers go on', async () => {
  const cluster = await RedisCluster.start(3, 3);
  try {
    const [a, b] = await startPair(whereOf(cluster));
    const [lost = '', kept = ''] = groupsOf(cluster);
    const join = async (group: string) => {
      const client = await StreamSocket.open(b.streamUrl);
      client.joinWithPositions('s1', 'chat', group);
      return { client, first: await client.take('sync') };
    };
    const set = (group_id: string, item_id: string) =>
      a.worker.errorCode('stream::set', { ...ROOM, group_id, item_id, data: { id: item_id } });
    const [gone, there] = [await join(lost), await join(kept)];
    for (const group of [lost, kept]) await again(() => set(group, 'before'));
    const [primary] = cluster.primaries;
    await primary?.kill();
    // The replica needs a second at least. The groups of the other servers stay available meanwhile.
    expect(await set(lost, 'meanwhile')).toBe('STORE_UNAVAILABLE');
    expect(await set(kept, 'meanwhile')).toBeUndefined();
    await there.client.take('create', ({ id }) => id === 'meanwhile');
    await again(() => set(lost, 'after'));
    const second = await gone.client.take('sync', ({ reason }) => reason === 'epoch');
    expect(second.epoch).not.toBe(gone.first.epoch);
    await again(() => set(lost, 'last'));
    await gone.client.take('create', ({ id }) => id === 'last');
    expect(changesOf(there.client).map(({ id }) => id)).toEqual(['before', 'meanwhile']);
  } finally {
    await cluster.dispose();
  }
});
