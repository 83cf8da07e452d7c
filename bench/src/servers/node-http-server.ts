import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerLines } from './answer-lines.js';

// The smallest HTTP server in Node. The cost of an HTTP trigger is measured against it.
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"ok":true}');
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ write: '', watch: '', http: `http://127.0.0.1:${port}/` })}\n`);
});
answerLines({});
