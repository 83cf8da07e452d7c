import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@redis/client';
import { createAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { answerLines } from './answer-lines.js';
import { watchLoop } from './loop-delay.js';
import { serverOptions } from './server-options.js';

// The usual design: clients join a room, and the server emits the message of the writer to the room. WebSocket only, without compression.
const { ports, redis, adapter, recovers = false, watchesLoop = false } = serverOptions();
const loopDelay = watchesLoop ? watchLoop() : undefined;
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  ...(recovers ? { connectionStateRecovery: {} } : {}),
  ...(redis === undefined ? {} : { adapter: await adapterOver(redis) }),
});
let answerer: Socket | undefined;
io.on('connection', (socket) => {
  // Forwards the call of one client to another one, and its answer back, both with acknowledgements.
  socket.on('serve', (serving?: () => void) => {
    answerer = socket;
    serving?.();
  });
  socket.on('call', (data: unknown, answer?: (result: unknown) => void) => {
    answerer?.emit('call', data, (result: unknown) => answer?.(result));
  });
  socket.on('join', (room: string, joined?: () => void) => {
    void socket.join(room);
    joined?.();
  });
  socket.on('set', (room: string, data: unknown, stored?: () => void) => {
    io.to(room).emit('change', data);
    stored?.();
  });
});
http.listen({ port: ports?.stream ?? 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/socket.io/?EIO=4&transport=websocket`;
  process.stdout.write(`${JSON.stringify({ write: url, watch: url })}\n`);
});
answerLines({ 'loop-delay': () => loopDelay?.() });

/** Returns the adapter as its documentation shows. */
async function adapterOver(url: string): Promise<NonNullable<ServerOptions['adapter']>> {
  // By default a command fails after 5 s. The adapters then end an overloaded process.
  const client = createClient({ url, commandOptions: { timeout: 0 } });
  await client.connect();
  if (adapter === 'streams') return createStreamsAdapter(client);
  const subscriber = client.duplicate();
  await subscriber.connect();
  return createAdapter(client, subscriber);
}
