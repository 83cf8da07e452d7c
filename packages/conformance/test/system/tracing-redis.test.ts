import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { onTestFinished, test } from 'vitest';
import { triggersBelongToWrites } from '../harness/traced-engine.js';

test('a trigger belongs to the write that fired it, in a Redis', async () => {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.dispose());
  await triggersBelongToWrites({ adapter: `{ name: redis, config: { redis_url: "${redis.url}" } }` });
});
