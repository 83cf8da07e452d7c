import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { LoadProcess } from '../../dist/load/load-process.js';
import { RedisServer } from '../../dist/servers/redis-server.js';
import { startServer } from '../../dist/servers/server-process.js';

const ROUND = { kind: 'round', dialect: 'rivulet', group: 'room', groups: 100, inFlight: 7 } as const;

test('a round of writes ends when all are acknowledged, and fails when the engine refuses some', async () => {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.stop());
  const server = await startServer('rivulet', { redis: redis.url });
  onTestFinished(() => server.stop());
  const load = new LoadProcess();
  onTestFinished(() => load.stop());
  await load.execute({ ...ROUND, url: server.writeUrl });
  await redis.stop();
  await expect(load.execute({ ...ROUND, url: server.writeUrl })).rejects.toThrow('100 of 100 writes were refused');
});

test('a round of writes fails when the connection is lost', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  server.on('connection', (socket) => {
    socket.send('{"type":"workerregistered","worker_id":"w"}');
    socket.on('message', () => socket.terminate());
  });
  await once(server, 'listening');
  const load = new LoadProcess();
  onTestFinished(() => load.stop());
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await expect(load.execute({ ...ROUND, url })).rejects.toThrow('the connection was lost before 100 writes were answered');
});
