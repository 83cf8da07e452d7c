import { LoadProcess } from '../../load/load-process.js';
import type { RedisServer } from '../../servers/redis-server.js';
import { RedisTap } from '../../servers/redis-tap.js';
import { startServer } from '../../servers/server-process.js';

/** Of the values of the load; no other word of a command has it. */
const OF_A_VALUE = '"pad":"';

/**
 * The commands by which an engine writes one item into each of so many groups, as words. Looking at them is what keeps the bench from knowing
 * how the engine stores things.
 */
export async function recordSets(redis: RedisServer, groups: number): Promise<readonly (readonly string[])[]> {
  const tap = await RedisTap.open(redis.port, { records: true });
  const server = await startServer('rivulet', { redis: tap.url });
  const load = new LoadProcess();
  try {
    // One at a time: otherwise changes of one group may share a command.
    await load.tell({ kind: 'round', dialect: 'rivulet', url: server.writeUrl, group: 'room', groups, inFlight: 1 });
  } finally {
    await load.stop();
    await server.stop();
    await tap.close();
  }
  const sets = tap.commands.filter((words) => words[0] === 'EVALSHA' && words.some((word) => word.includes(OF_A_VALUE)));
  if (sets.length !== groups) throw new Error(`${sets.length} commands were seen to write, not ${groups}`);
  return sets;
}
