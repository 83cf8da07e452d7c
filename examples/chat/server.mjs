// Serves the page, and calls the functions of the chat for its requests. Run `node examples/chat/server.mjs`, then open the address that it
// prints.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { startChat } from './worker.mjs';

const MOST_BODY = 16_384;
const STREAM_URL = process.env.STREAM_URL ?? 'ws://127.0.0.1:3112';
const iii = startChat();

const server = createServer((request, response) => {
  route(request)
    .then(({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body))
    .catch((error) => response.writeHead(400, { 'content-type': 'text/plain' }).end(`${error.message}\n`));
});

async function route(request) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'GET' && pathname === '/') {
    const page = await readFile(new URL('./index.html', import.meta.url), 'utf8');
    return { status: 200, type: 'text/html; charset=utf-8', body: page.replace('STREAM_URL', STREAM_URL) };
  }
  const [, room, what] = /^\/rooms\/([^/]+)\/(messages|typing)$/.exec(pathname) ?? [];
  if (request.method !== 'POST' || room === undefined) return { status: 404, type: 'text/plain', body: 'not found\n' };
  const function_id = what === 'messages' ? 'chat::post' : 'chat::typing';
  const result = await iii.trigger({ function_id, payload: { room: decodeURIComponent(room), ...(await readJson(request)) } });
  return { status: 200, type: 'application/json', body: JSON.stringify(result ?? null) };
}

async function readJson(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > MOST_BODY) throw new Error('the body is too large');
  }
  return JSON.parse(text);
}

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`chat on http://127.0.0.1:${server.address().port}/`);
});

process.once('SIGTERM', () => process.exit(0));
