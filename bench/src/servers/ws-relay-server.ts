import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { answerLines } from './answer-lines.js';

// The usual way to pass bytes from one socket to another one: the server forwards each message without regard to the speed of the reader.
let reader: WebSocket | undefined;
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false }, () => {
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  process.stdout.write(`${JSON.stringify({ write: url, watch: url })}\n`);
});
server.on('connection', (socket, request) => {
  if (request.url?.includes('dir=read') === true) reader = socket;
  else socket.on('message', (data, binary) => reader?.send(data, { binary }));
});
answerLines({});
