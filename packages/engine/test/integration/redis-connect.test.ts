import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { RedisPool } from '../../src/store/redis/connection/redis-pool.js';

const connect = (port: number) =>
  RedisPool.connect({
    url: `redis://127.0.0.1:${port}`,
    servers: { kind: 'single' },
    connectTimeoutMs: 200,
    commandTimeoutMs: 200,
    scripts: [],
    canary: (tag) => `{${tag}}:canary`,
    logger: silentLogger,
    onUp: () => {},
    onDown: () => {},
  });

async function listen(onSocket: (socket: Socket) => void): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, port: address.port };
}

test.each([
  ['says nothing', () => {}],
  ['answers nonsense', (socket: Socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['answers one thing for all', (socket: Socket) => void socket.on('data', () => socket.write('+OK\r\n'.repeat(8)))],
])('an attempt to connect to what %s is given up, and leaves no socket behind', async (_what, answer) => {
  const closed: Promise<unknown>[] = [];
  const { server, port } = await listen((socket) => {
    socket.on('error', () => {});
    closed.push(once(socket, 'close'));
    socket.resume();
    answer(socket);
  });
  try {
    await expect(connect(port)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(closed.length).toBeGreaterThan(0);
    await Promise.all(closed);
  } finally {
    server.close();
  }
});
