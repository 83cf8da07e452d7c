import { randomUUID } from 'node:crypto';
import type { Logger } from '../../../logging/logger.js';
import type { Clock } from '../../../structures/clock.js';
import { RedisPool } from '../connection/redis-pool.js';
import type { RedisServers } from '../connection/topology.js';
import { GroupClient } from '../group-client.js';
import { RedisKeys } from '../keys.js';
import { databaseOf } from '../redis-store.js';
import { SCRIPTS } from '../scripts.js';

export interface RedisStoreAddress {
  readonly url: string;
  readonly servers?: RedisServers | undefined;
  readonly keyPrefix: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

/** Connects to the Redis of a store, for a tool. Rejects with STORE_UNAVAILABLE. */
export async function openGroups(address: RedisStoreAddress, clock: Clock, logger: Logger): Promise<GroupClient> {
  const { url, servers = { kind: 'single' }, keyPrefix, connectTimeoutMs, commandTimeoutMs } = address;
  const keys = new RedisKeys(keyPrefix, databaseOf(url));
  const node = randomUUID();
  const redis = await RedisPool.connect({
    url,
    servers,
    connectTimeoutMs,
    commandTimeoutMs,
    scripts: SCRIPTS,
    canary: (tag) => keys.canary(tag, node),
    logger,
    onUp: () => {},
    onDown: () => {},
  });
  const groups = new GroupClient(redis, keys, () => clock.now());
  try {
    await groups.requireLayout();
    return groups;
  } catch (error) {
    redis.close();
    throw error;
  }
}
