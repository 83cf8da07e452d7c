import type { StoreConfig } from '../config/config.js';
import { silentLogger } from '../logging/logger.js';
import { openGroups } from '../store/redis/copying/open-groups.js';
import { RedisDump } from '../store/redis/copying/redis-dump.js';
import { RedisLoader } from '../store/redis/copying/redis-loader.js';
import type { DumpSink, DumpSource } from '../store/shared/dump.js';
import { systemClock } from '../structures/clock.js';

type RedisConfig = Extract<StoreConfig, { kind: 'redis' }>;

export async function openRedisDump(adapter: RedisConfig): Promise<DumpSource> {
  return new RedisDump(await openGroups(adapter, systemClock, silentLogger));
}

export async function openRedisLoader(adapter: RedisConfig): Promise<DumpSink> {
  return await RedisLoader.open(await openGroups(adapter, systemClock, silentLogger), adapter.keyPrefix, () => systemClock.now());
}
