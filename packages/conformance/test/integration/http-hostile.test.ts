import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { LIMITS } from '@rivulet/protocol';
import { type HttpInput, startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { ChannelEnd } from '@rivulet/testkit/peers/channel-end';
import { RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { expect, it, onTestFinished } from 'vitest';

const control = (headers: object) => JSON.stringify({ type: 'set_headers', headers });
const isFor = (path: string) => (frame: Readonly<Record<string, unknown>>) => (frame.data as HttpInput | null)?.path === path;

/** Opens a connection and collects everything that the engine sends on it, as text. */
async function talk(url: string, said: string): Promise<{ readonly raw: RawSocket; readonly text: () => string }> {
  const raw = await RawSocket.connect(url);
  const chunks: Buffer[] = [];
  raw.socket.on('data', (data: Buffer) => chunks.push(data));
  raw.write(said);
  return { raw, text: () => Buffer.concat(chunks).toString('latin1') };
}

it('HT-12 a client that leaves is noticed by the requests too that wait behind another one of its connection', async () => {
  const { serve, httpUrl, workerUrl, engine, worker } = await startHttpEngine();
  await serve('/first', () => new Promise(() => {}));
  let began = () => {};
  const begun = new Promise<void>((resolve) => {
    began = resolve;
  });
  await serve('/second', async (input) => {
    const out = await ChannelEnd.open(workerUrl, input.response);
    out.socket.send(Buffer.from('no time-out ends it any more'));
    await out.settled();
    began();
  });
  const { raw } = await talk(httpUrl, 'GET /first HTTP/1.1\r\nHost: h\r\n\r\nGET /second HTTP/1.1\r\nHost: h\r\n\r\n');
  await begun;
  raw.socket.destroy();
  while (engine.figures().requests > 0 || engine.figures().channels > 0) await worker.settled();
});

it('what is no request does not get an answer into the middle of the response under way', async () => {
  const { serve, httpUrl, workerUrl, worker, engine } = await startHttpEngine();
  await serve('/r', async (input) => {
    const out = await ChannelEnd.open(workerUrl, input.response);
    out.socket.send(control({ 'content-length': '1000' }));
    await out.send(Buffer.from('begun'));
  });
  const { raw, text } = await talk(httpUrl, 'GET /r HTTP/1.1\r\nHost: h\r\n\r\n');
  while (!text().includes('begun')) await worker.settled();
  raw.write('no request\r\n\r\n');
  await raw.ended;
  expect(text()).toMatch(/begun$/);
  while (engine.figures().requests > 0) await worker.settled();
});

it('a client that sends no request and keeps its side open is dropped after the answer', async () => {
  const { httpUrl, worker } = await startHttpEngine();
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const client = connect({ port: Number(new URL(httpUrl).port), allowHalfOpen: true });
  onTestFinished(() => void client.destroy());
  await once(client, 'connect');
  client.write('no request\r\n\r\n');
  const [answer] = (await once(client, 'data')) as [Buffer];
  expect(answer.toString()).toContain('HTTP/1.1 400 Bad Request');
  await once(client, 'end');
  const both = sockets();
  while (sockets() === both) await worker.settled();
});

it('a stop sends what is left of a response that the function has given', async () => {
  const { serve, httpUrl, worker, stop, engine } = await startHttpEngine();
  const body = 'x'.repeat(12_000_000);
  await serve('/big', () => ({ body }));
  const sent = request(`${httpUrl}/big`).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  while (engine.figures().channels > 0) await worker.settled();
  const stopped = stop();
  const parts = (await response.toArray()) as Buffer[];
  expect(Buffer.concat(parts)).toHaveLength(body.length + 2);
  await stopped;
});

it('an event stream that begins after the stop does not hold it up', async () => {
  const { serve, httpUrl, workerUrl, stop, worker } = await startHttpEngine();
  let go = () => {};
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  await serve('/events', async (input) => {
    await gone;
    const out = await ChannelEnd.open(workerUrl, input.response);
    out.socket.send(control({ 'content-type': 'text/event-stream' }));
    await out.send(Buffer.from('data: 0\n\n'));
  });
  const events = request(`${httpUrl}/events`).end();
  events.on('error', () => {});
  await worker.take('invokefunction', isFor('/events'));
  const stopped = stop();
  go();
  await stopped;
});

it('a length that a function announces twice is no length', async () => {
  const { serve, httpUrl, workerUrl } = await startHttpEngine();
  await serve('/r', async (input) => {
    const out = await ChannelEnd.open(workerUrl, input.response);
    out.socket.send(JSON.stringify({ type: 'set_headers', headers: ['Content-Length: 5', 'Content-Length: 7'] }));
    await out.send(Buffer.from('1234567'));
    await out.close();
  });
  const { raw, text } = await talk(httpUrl, 'GET /r HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  await raw.ended;
  expect(text().toLowerCase()).not.toContain('content-length');
  expect(text()).toMatch(/7\r\n1234567\r\n0\r\n\r\n$/);
});

it('a connection may have a few requests without an answer; the next one gets 503 in its turn and closes it', async () => {
  const { serve, httpUrl, worker, engine } = await startHttpEngine();
  let go = () => {};
  await serve('/r', () => new Promise((resolve) => (go = () => resolve({ body: 'first' }))));
  await serve('/n', () => ({ body: 'next' }));
  const { raw, text } = await talk(httpUrl, 'GET /r HTTP/1.1\r\nHost: h\r\n\r\n');
  await worker.take('invokefunction', isFor('/r'));
  raw.write('GET /n HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(LIMITS.httpPipelined + 2));
  while (engine.figures().events.http_pipeline_refused === undefined) await worker.settled();
  expect(engine.figures().requests).toBeLessThanOrEqual(LIMITS.httpPipelined);
  go();
  await raw.ended;
  expect(text().split('"next"').length - 1).toBe(LIMITS.httpPipelined - 1);
  expect(text().split('HTTP/1.1 503').length - 1).toBe(1);
  expect(text()).toMatch(/OVERLOADED[^}]*\}\}$/);
});

it('a client that sends thousands of requests at once loses its connection, and owns nothing', async () => {
  const { serve, httpUrl, worker, engine, fetch } = await startHttpEngine();
  await serve('/r', () => new Promise(() => {}));
  await serve('/n', () => ({}));
  const { raw, text } = await talk(httpUrl, 'GET /r HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(10_000));
  await raw.ended;
  expect(text()).toBe('');
  while (engine.figures().requests > 0) await worker.settled();
  expect((await fetch('/n')).status).toBe(200);
});

it.each([true, false])(
  'a writer that drops without a word is 500, whether the function answers before or after it (%s)',
  async (before) => {
    const { serve, fetch, workerUrl, worker } = await startHttpEngine();
    await serve('/r', async (input) => {
      const out = await ChannelEnd.open(workerUrl, input.response);
      if (before) {
        setImmediate(() => void worker.settled().then(() => out.socket.terminate()));
        return;
      }
      out.socket.terminate();
      await out.closed;
      // The engine has noticed this too, because the socket of the writer was closed before this call.
      await worker.settled();
      await worker.settled();
    });
    expect((await fetch('/r')).status).toBe(500);
  },
);

it('half a body is not taken for a whole by a client of HTTP/1.0, which knows its end by the close', async () => {
  const { serve, httpUrl, workerUrl } = await startHttpEngine();
  await serve('/r', async (input) => {
    const out = await ChannelEnd.open(workerUrl, input.response);
    await out.send(Buffer.from('half'));
    await out.settled();
    out.socket.terminate();
  });
  const { raw } = await talk(httpUrl, 'GET /r HTTP/1.0\r\n\r\n');
  const [error] = (await once(raw.socket, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
});

it('a connection that has had its answers is closed when it stays quiet; one whose answer takes long is not', async () => {
  const { serve, httpUrl, worker } = await startHttpEngine();
  await serve('/r', () => ({}));
  await serve('/long', () => new Promise(() => {}));
  const ends = new Map<string | undefined, Socket>();
  const started = (message: unknown) => {
    const { request: got, socket } = message as { readonly request: IncomingMessage; readonly socket: Socket };
    ends.set(got.url, socket);
  };
  subscribe('http.server.request.start', started);
  onTestFinished(() => void unsubscribe('http.server.request.start', started));
  const long = await talk(httpUrl, 'GET /long HTTP/1.1\r\nHost: h\r\n\r\n');
  await worker.take('invokefunction', isFor('/long'));
  const { raw, text } = await talk(httpUrl, 'GET /r HTTP/1.1\r\nHost: h\r\n\r\n');
  while (!text().endsWith('{}')) await worker.settled();
  // The timers are those of Node and last a minute and more. The test changes only their length.
  ends.get('/long')?.setTimeout(10);
  ends.get('/r')?.setTimeout(20);
  await raw.ended;
  expect(long.raw.socket.closed).toBe(false);
});

it('JSON bodies that come at the same time do not cost the worker its connection', async () => {
  const { serve, fetch, worker } = await startHttpEngine();
  await serve('/r', () => ({}), { method: 'POST' });
  const body = JSON.stringify('x'.repeat(7_900_000));
  const post = () => fetch('/r', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  const statuses = (await Promise.all(Array.from({ length: 24 }, post))).map(({ status }) => status);
  expect(statuses.every((status) => status === 200 || status === 503)).toBe(true);
  expect(statuses).toContain(200);
  await worker.settled();
});

it('JSON bodies that do not end take no more together than they may', async () => {
  const { serve, httpUrl, fetch, engine, worker } = await startHttpEngine();
  await serve('/r', () => ({}), { method: 'POST' });
  const part = Buffer.alloc(7_000_000, ' ');
  const head = 'POST /r HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7500000\r\n\r\n';
  const slow = await Promise.all(Array.from({ length: 22 }, () => talk(httpUrl, head)));
  for (const { raw } of slow) raw.write(part);
  const refused = () => slow.filter(({ text }) => text().startsWith('HTTP/1.1 503') && text().includes('OVERLOADED'));
  while (refused().length === 0) await worker.settled();
  for (const { raw } of slow) raw.socket.destroy();
  while (engine.figures().requests > 0) await worker.settled();
  // All memory was returned.
  const headers = { 'content-type': 'application/json' };
  expect((await fetch('/r', { method: 'POST', body: `${part.toString()}1`, headers })).status).toBe(200);
});

it('values that their clients do not take have a bound together', async () => {
  // Without time no value becomes old enough to make room for others, however slow the machine is.
  const { serve, httpUrl, fetch } = await startHttpEngine({}, { clock: { now: Date.now, monotonic: () => 0 } });
  const body = 'x'.repeat(15_000_000);
  await serve('/r', () => ({ body }));
  const clients: RawSocket[] = [];
  let begin = '';
  while (!begin.startsWith('HTTP/1.1 503') && clients.length < 40) {
    const raw = await RawSocket.connect(httpUrl);
    clients.push(raw);
    raw.write('GET /r HTTP/1.1\r\nHost: h\r\n\r\n');
    const [data] = (await once(raw.socket, 'data')) as [Buffer];
    raw.socket.pause();
    begin = data.toString('latin1', 0, 1_000);
  }
  expect(begin).toContain('OVERLOADED');
  expect(clients.length).toBeGreaterThan(Math.floor(LIMITS.httpUnsentBytes / body.length));
  for (const { socket } of clients) socket.destroy();
  await Promise.all(clients.map(({ ended }) => ended));
  // The engine returns the rest when it notices that the clients have left.
  let answer = await fetch('/r');
  while (answer.status === 503) answer = await fetch('/r');
  expect(await answer.text()).toHaveLength(body.length + 2);
});
