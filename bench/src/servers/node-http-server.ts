import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerLines } from './answer-lines.js';

// The least that answers an HTTP request in Node: what an HTTP trigger costs is measured on top of it.
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"ok":true}');
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ write: '', watch: '', http: `http://127.0.0.1:${port}/` })}\n`);
});
answerLines({});
