import { storeContract } from '@rivulet/conformance/store-contract';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { RedisServer } from '../../checker/src/live/redis-server.js';
import { redisFactory } from './harness/store-factories.js';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

describe('the contract of a store: redis', () => {
  test.each(storeContract)('$title', (clause) => clause.run(redisFactory(server.url)));
});
