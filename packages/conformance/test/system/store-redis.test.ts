import { storeContract } from '@rivulet/conformance/store-contract';
import { RedisCluster } from '@rivulet/testkit/redis/redis-cluster';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { redisFactory } from '@rivulet/testkit/stores/store-factories';
import { afterAll, beforeAll, describe, test } from 'vitest';

let server: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([RedisServer.start(), RedisCluster.start(3)]);
});
afterAll(() => Promise.all([server.dispose(), cluster.dispose()]));

describe('the contract of a store: redis', () => {
  test.each(storeContract)('$title', (clause) => clause.run(redisFactory(server)));
});

describe('the contract of a store: a Redis Cluster of three', () => {
  test.each(storeContract)('$title', (clause) =>
    clause.run(redisFactory({ url: 'redis://127.0.0.1', servers: { kind: 'cluster', nodes: cluster.nodes.slice(0, 1) } })),
  );
});
