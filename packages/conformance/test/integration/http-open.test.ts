import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { LIMITS } from '@rivulet/protocol';
import { startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { ChannelEnd } from '@rivulet/testkit/peers/channel-end';
import { expect, it, onTestFinished } from 'vitest';

interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  /** Resolves when the engine has closed the connection. */
  readonly closed: Promise<unknown>;
}

/** Returns a TCP connection that has sent this text and keeps its side open. */
async function client(url: string, said = ''): Promise<Client> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  socket.write(said);
  return { socket, text: () => text, closed };
}

async function clients(url: string, count: number, said = ''): Promise<Client[]> {
  const all: Client[] = [];
  while (all.length < count)
    all.push(...(await Promise.all(Array.from({ length: Math.min(100, count - all.length) }, () => client(url, said)))));
  return all;
}

const post = (headers: string, body = '') => `POST /p HTTP/1.1\r\nHost: h\r\n${headers}\r\n\r\n${body}`;

it.each([
  ['a small body', 'Content-Length: 100'],
  ['a small JSON body', 'Content-Type: application/json\r\nContent-Length: 100'],
  ['a large JSON body', 'Content-Type: application/json\r\nContent-Length: 1000000'],
  ['a JSON body in chunks', 'Content-Type: application/json\r\nTransfer-Encoding: chunked'],
  ['a body in chunks', 'Transfer-Encoding: chunked'],
  ['a large body', 'Content-Length: 1000000'],
])('E4 requests whose client does not send %s keep no other request waiting', async (_what, headers) => {
  const { serve, fetch, httpUrl, engine, worker } = await startHttpEngine({ concurrentRequests: 4 });
  await serve('/p', ({ body }) => ({ body: { got: body } }), { method: 'POST' });
  const silent = await clients(httpUrl, 50, post(headers));
  while (engine.figures().requests < silent.length) await worker.settled();
  const answer = await fetch('/p', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '[1]' });
  expect([answer.status, await answer.json()]).toEqual([200, { got: [1] }]);
  const upload = await fetch('/p', { method: 'POST', body: Buffer.alloc(200_000) });
  expect(upload.status).toBe(200);
});

it('E4 uploads that stand still have slots of their own, and a new upload takes the place of one', async () => {
  const { serve, fetch, httpUrl, workerUrl, engine, worker } = await startHttpEngine({ concurrentRequests: 4 });
  await serve('/p', () => new Promise(() => {}), { method: 'POST' });
  await serve('/n', () => ({}));
  await serve(
    '/up',
    async (input) => {
      const reader = await ChannelEnd.open(workerUrl, input.request_body);
      await reader.closed;
      return { body: reader.inbox.all.reduce((bytes, { data }) => bytes + data.length, 0) };
    },
    { method: 'POST' },
  );
  const stalled = await clients(httpUrl, 4, post('Content-Length: 1000000', 'begun'));
  while (engine.figures().channels < 8) await worker.settled();
  expect((await fetch('/n')).status).toBe(200);
  const answer = await fetch('/up', { method: 'POST', body: Buffer.alloc(300_000) });
  expect([answer.status, await answer.json()]).toEqual([200, 300_000]);
  expect(stalled.filter(({ text }) => text().includes('OVERLOADED')).length).toBeGreaterThan(0);
});

it('E4 idle connections of one address make room for a new one, which is served; no proxy is kept out', async () => {
  const { serve, fetch, httpUrl, engine, log } = await startHttpEngine();
  await serve('/n', () => ({ body: 'served' }));
  const idle = await clients(httpUrl, LIMITS.waitingPerAddress);
  const kept = await client(httpUrl, 'GET /n HTTP/1.1\r\nHost: h\r\n\r\n');
  await idle[0]?.closed;
  expect(idle[0]?.text()).toBe('');
  expect(await (await fetch('/n')).json()).toBe('served');
  expect(engine.figures().events.idle_connection_evicted).toBeGreaterThan(0);
  expect(log).toContainEqual(expect.objectContaining({ level: 'warn', event: 'idle_connections_evicted' }));
  expect(kept.socket.destroyed).toBe(false);
});

it('S24 a silent connection is closed without an answer, and half a head with 408, also one that drips', async () => {
  const { httpUrl, worker } = await startHttpEngine();
  const silent = await client(httpUrl);
  const half = await client(httpUrl, 'GET /n HTTP/1.1\r\nHost: h\r\n');
  const drip = await client(httpUrl, 'GET /n HTTP/1.1\r\nHost: h\r\n');
  let dripping = true;
  const dripped = (async () => {
    for (let n = 0; dripping; n++) {
      drip.socket.write(`x-${n}: 1\r\n`);
      await worker.settled();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  await Promise.all([silent.closed, half.closed, drip.closed]);
  dripping = false;
  await dripped;
  expect(silent.text()).toBe('');
  expect(half.text()).toContain('HTTP/1.1 408 ');
});

it('a client that waits for 100 Continue gets it when the body is wanted, and else only the answer', async () => {
  const { serve, httpUrl, fetch } = await startHttpEngine({ middleware: [{ functionId: 'test::http-1', priority: 0 }] });
  await serve('/mw', (input) => {
    const { headers } = (input as unknown as { readonly request: { readonly headers: Record<string, string> } }).request;
    return headers.authorization === undefined ? { action: 'respond', response: { status_code: 401 } } : { action: 'continue' };
  });
  await serve('/p', ({ body }) => ({ body: { got: body } }), { method: 'POST' });
  const expects = 'Content-Type: application/json\r\nContent-Length: 100000\r\nExpect: 100-continue';
  const stranger = await client(httpUrl, post(expects));
  await stranger.closed;
  expect(stranger.text()).toMatch(/^HTTP\/1\.1 401 /);
  const known = await client(httpUrl, post(`${expects}\r\nAuthorization: x`));
  while (!known.text().includes('100 Continue')) await once(known.socket, 'data');
  known.socket.write(`[${' '.repeat(99_997)}1]`);
  while (!known.text().includes('{"got":[1]}')) await once(known.socket, 'data');
  expect((await fetch('/p', { method: 'POST', headers: { expect: 'x' } }).catch(() => ({ status: 0 }))).status).not.toBe(200);
  const odd = await client(httpUrl, post('Content-Length: 1\r\nExpect: 200-ok'));
  while (odd.text() === '') await once(odd.socket, 'data');
  expect(odd.text()).toMatch(/^HTTP\/1\.1 417 /);
});

it.each<[string, string, number]>([
  ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', 405],
  [
    'a WebSocket upgrade',
    'GET /p HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n',
    400,
  ],
  ['too many headers', `GET /p HTTP/1.1\r\nHost: h\r\n${'a: b\r\n'.repeat(LIMITS.httpHeaders)}\r\n`, 431],
  ['chunked and a length', post('Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'), 400],
  ['chunked twice', post('Transfer-Encoding: chunked, chunked', '0\r\n\r\n'), 400],
  ['an unknown coding', post('Transfer-Encoding: chunked, gzip', '0\r\n\r\n'), 400],
  ['a chunk of a wrong length', post('Transfer-Encoding: chunked', 'zz\r\n'), 400],
  ['a negative length', post('Content-Length: -1'), 400],
  ['a folded header', 'GET /p HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n', 400],
  ['no host', 'GET /p HTTP/1.1\r\n\r\n', 400],
  ['TRACE', 'TRACE /p HTTP/1.1\r\nHost: h\r\n\r\n', 405],
])('S34 %s is refused plainly, and the engine serves on', async (_what, said, status) => {
  const { serve, httpUrl, fetch } = await startHttpEngine();
  await serve('/p', () => ({}));
  await serve('/p', () => ({}), { method: 'POST' });
  const raw = await client(httpUrl, said);
  while (!raw.text().includes('\r\n\r\n')) await once(raw.socket, 'data');
  expect(raw.text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect((await fetch('/p')).status).toBe(200);
});

it('S35 no answer names the server', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/p', () => ({}));
  for (const path of ['/p', '/none']) {
    const { headers } = await fetch(path);
    expect([headers.get('server'), headers.get('x-powered-by')]).toEqual([null, null]);
  }
});
