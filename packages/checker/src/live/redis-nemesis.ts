import type { ChaosProxy } from '@rivulet/testkit/links/chaos-proxy';
import type { Random } from '@rivulet/testkit/random';
import type { RedisCluster } from '@rivulet/testkit/redis/redis-cluster';
import type { RedisServer } from '@rivulet/testkit/redis/redis-server';
import type { NemesisVerb } from '../history/op.js';

/** Prefix of all keys of a round. Each round has a Redis of its own. */
export const REDIS_PREFIX = 'checker';

/** Options of redis-server. It syncs every write to the disk before it answers, so no acknowledged write may be lost. */
export const REDIS_OPTIONS: readonly string[] = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];

/** Makes one fault of the Redis that engines share. Resolves when the Redis runs again. */
export async function disturbRedis(
  redis: RedisServer,
  random: Random,
  nemesis: (verb: NemesisVerb, on: string, how: string) => void,
): Promise<void> {
  const draw = random.below(100);
  if (draw < 40) {
    nemesis('reset', 'redis', 'pubsub');
    redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  } else if (draw < 60) {
    nemesis('reset', 'redis', 'normal');
    redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  } else if (draw < 80) {
    nemesis('pause', 'redis', 'SIGSTOP');
    redis.pause();
    await new Promise((resolve) => setTimeout(resolve, random.between(50, 2_500)));
    nemesis('resume', 'redis', 'SIGCONT');
    redis.resume();
  } else {
    nemesis('kill-redis', '', 'SIGKILL');
    await redis.kill();
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 500)));
    nemesis('start-redis', '', '');
    await redis.start();
  }
}

/** Cuts one engine off from the Redis for a while without closing its connections. Other engines still have theirs. */
export async function isolateFromRedis(way: ChaosProxy, random: Random): Promise<void> {
  for (const direction of ['up', 'down'] as const) way.blackhole(direction);
  await new Promise((resolve) => setTimeout(resolve, random.between(50, 8_000)));
  way.heal();
}

/**
 * Makes one fault of the cluster that engines share. A failover and a moved slot end the history of a group, because acknowledged writes
 * may be lost. Every subscription must be notified.
 */
export async function disturbCluster(
  cluster: RedisCluster,
  random: Random,
  nemesis: (verb: NemesisVerb, on: string, how: string) => void,
): Promise<void> {
  const draw = random.below(100);
  const server = random.pick(cluster.primaries);
  if (draw < 30) {
    const kind = random.pick(['pubsub', 'normal']);
    nemesis('reset', 'redis', kind);
    server.command('CLIENT', 'KILL', 'TYPE', kind, 'SKIPME', 'yes');
  } else if (draw < 45) {
    nemesis('pause', 'redis', 'SIGSTOP');
    server.pause();
    // The pause is too short for a failover.
    await new Promise((resolve) => setTimeout(resolve, random.between(50, 600)));
    nemesis('resume', 'redis', 'SIGCONT');
    server.resume();
  } else if (draw < 60) {
    const slot = slotOfGroup(server, random);
    const others = cluster.primaries.filter((each) => each !== server);
    if (slot !== undefined) cluster.moveSlot(slot, server, random.pick(others));
    await answersComeIn();
    nemesis('wipe-store', 'redis', `slot ${slot ?? 'of nothing'} has moved`);
  } else {
    await cluster.failOver(server);
    await answersComeIn();
    nemesis('wipe-store', 'redis', 'a replica has taken over');
  }
}

/** Waits for answers that are still in sockets. Commands to redis-cli block this process. */
function answersComeIn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 500));
}

/** Returns the slot of any group that has been written. */
function slotOfGroup(server: RedisServer, random: Random): number | undefined {
  const heads = server.command('KEYS', `${REDIS_PREFIX}:*:head:*`).split('\n').filter(Boolean);
  return heads.length === 0 ? undefined : Number(server.command('CLUSTER', 'KEYSLOT', random.pick(heads)));
}
