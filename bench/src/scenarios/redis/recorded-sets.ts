import { LoadProcess } from '../../load/load-process.js';
import type { RedisServer } from '../../servers/redis-server.js';
import { RedisTap } from '../../servers/redis-tap.js';
import { startServer } from '../../servers/server-process.js';

/** A text that only the values of the load contain. */
const OF_A_VALUE = '"pad":"';

/**
 * Records the commands of an engine that writes one item into each group. Because it records them, the bench needs no knowledge of how the
 * engine stores items.
 */
export async function recordSets(redis: RedisServer, groups: number): Promise<readonly (readonly string[])[]> {
  const tap = await RedisTap.open(redis.port, { records: true });
  const server = await startServer('rivulet', { redis: tap.url });
  const load = new LoadProcess();
  try {
    // One write at a time: otherwise several changes of a group may share a command.
    await load.execute({ kind: 'round', dialect: 'rivulet', url: server.writeUrl, group: 'room', groups, inFlight: 1 });
  } finally {
    await load.stop();
    await server.stop();
    await tap.close();
  }
  const sets = tap.commands.filter((words) => words[0] === 'EVALSHA' && words.some((word) => word.includes(OF_A_VALUE)));
  if (sets.length !== groups) throw new Error(`${sets.length} writing commands were recorded, not ${groups}`);
  return sets;
}
