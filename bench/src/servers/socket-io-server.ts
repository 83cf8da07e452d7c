import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { answerLines } from './answer-lines.js';
import { watchLoop } from './loop-delay.js';
import { serverOptions } from './server-options.js';

// The usual way to do it: clients join a room, the writer's message is emitted to the room. WebSocket only, no compression.
const { ports, recovers = false, watchesLoop = false } = serverOptions();
const loopDelay = watchesLoop ? watchLoop() : undefined;
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  ...(recovers ? { connectionStateRecovery: {} } : {}),
});
let answerer: Socket | undefined;
io.on('connection', (socket) => {
  // A call of one client that another one answers, with acknowledgements both ways.
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
