import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type HttpInput, startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { heldBytes } from '@rivulet/testkit/measures/heap';
import { ChannelEnd } from '@rivulet/testkit/peers/channel-end';
import { RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { expect, it, onTestFinished } from 'vitest';

/** Sends one request over a kept connection. Resolves with its status. */
function get(agent: Agent, url: string, method = 'GET'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method }, (response) => response.resume().on('end', () => resolve(response.statusCode)));
    sent.on('error', reject).end();
  });
}

it('HT-12 10,000 requests leave no channel, no request and no memory behind', async () => {
  const { serve, httpUrl, engine, worker } = await startHttpEngine();
  await serve('/n', () => ({ body: 'ok' }));
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  onTestFinished(() => agent.destroy());
  const batch = async (count: number) => {
    const statuses = await Promise.all(Array.from({ length: count }, () => get(agent, `${httpUrl}/n`)));
    expect(statuses.every((status) => status === 200)).toBe(true);
    worker.inbox.clear();
  };
  // The first requests compile code and fill caches.
  for (let n = 0; n < 4; n++) await batch(500);
  const before = await heldBytes();
  for (let n = 0; n < 16; n++) await batch(500);
  expect(engine.figures()).toMatchObject({ channels: 0, channelBytes: 0, requests: 0 });
  // A leak would be a hundred bytes for each request.
  expect((await heldBytes()) - before).toBeLessThan(800_000);
});

it('HT-12 requests that are given up at any point leave nothing behind', async () => {
  const { serve, httpUrl, workerUrl, engine, worker } = await startHttpEngine({ defaultTimeoutMs: 2_000, concurrentRequests: 4 });
  await serve(
    '/n',
    async (input: HttpInput) => {
      const out = await ChannelEnd.open(workerUrl, input.response).catch(() => undefined);
      out?.socket.send(Buffer.from('x'));
      return new Promise(() => {});
    },
    { method: 'POST' },
  );
  for (let n = 0; n < 60; n++) {
    const raw = await RawSocket.connect(httpUrl);
    const json = n % 2 === 0 ? 'Content-Type: application/json\r\n' : '';
    const text = `POST /n HTTP/1.1\r\nHost: h\r\n${json}Content-Length: 4\r\n\r\n[1]\n`;
    raw.write(text.slice(0, Math.ceil((text.length * (n + 1)) / 60)));
    for (let turn = 0; turn < n % 5; turn++) await worker.settled();
    raw.socket.destroy();
  }
  while (engine.figures().requests > 0 || engine.figures().channels > 0) await worker.settled();
  await serve('/after', () => ({}));
  expect((await fetch(`${httpUrl}/after`)).status).toBe(200);
});

it('more than concurrency_request_limit wait their turn; one that leaves the line is forgotten', async () => {
  const { serve, httpUrl, worker, engine } = await startHttpEngine({ concurrentRequests: 1 });
  const release: (() => void)[] = [];
  await serve('/n', () => new Promise((resolve) => release.push(() => resolve({ body: release.length }))));
  const first = fetch(`${httpUrl}/n`);
  await worker.take('invokefunction', ({ data }) => (data as HttpInput | null)?.path === '/n');
  const leaving = new AbortController();
  const left = fetch(`${httpUrl}/n`, { signal: leaving.signal }).catch(() => 'left');
  const second = fetch(`${httpUrl}/n`);
  while (engine.figures().requests < 3) await worker.settled();
  expect(release).toHaveLength(1);
  leaving.abort();
  expect(await left).toBe('left');
  while (engine.figures().requests > 2) await worker.settled();
  release[0]?.();
  expect(await (await first).json()).toBe(1);
  await worker.take('invokefunction', ({ data }) => (data as HttpInput | null)?.path === '/n');
  release[1]?.();
  expect(await (await second).json()).toBe(2);
});

it('a stream that has begun takes no place of others', async () => {
  const { serve, httpUrl, workerUrl } = await startHttpEngine({ concurrentRequests: 1 });
  await serve('/stream', async (input) => (await ChannelEnd.open(workerUrl, input.response)).send(Buffer.from('data: 0\n\n')));
  await serve('/n', () => ({}));
  const stream = request(`${httpUrl}/stream`).end();
  onTestFinished(() => void stream.destroy());
  await once(stream, 'response');
  expect((await fetch(`${httpUrl}/n`)).status).toBe(200);
});

it('the response to a body that nobody reads arrives, and the rest is not read for long', async () => {
  const { serve, httpUrl } = await startHttpEngine();
  await serve('/early', () => ({ body: 'enough' }), { method: 'POST' });
  for (const path of ['/early', '/none']) {
    const raw = await RawSocket.connect(httpUrl);
    raw.write(`POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n`);
    const pushing = setInterval(() => raw.write(Buffer.alloc(65_536)), 10);
    const { status } = await raw.ended;
    clearInterval(pushing);
    expect(status).toBe(path === '/early' ? 200 : 404);
  }
});

it('a stop lets requests in flight end, a channel that they open still, and cuts event streams', async () => {
  const { serve, httpUrl, workerUrl, stop, worker, log } = await startHttpEngine();
  let go = () => {};
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  await serve('/events', async (input) => {
    const out = await ChannelEnd.open(workerUrl, input.response);
    out.socket.send(JSON.stringify({ type: 'set_headers', headers: { 'content-type': 'text/event-stream' } }));
    await out.send(Buffer.from('data: 0\n\n'));
  });
  await serve('/late', async (input) => {
    await gone;
    const out = await ChannelEnd.open(workerUrl, input.response);
    await out.send(Buffer.from('late'));
    await out.close();
  });
  const events = request(`${httpUrl}/events`).end();
  events.on('error', () => {});
  await once(events, 'response');
  const late = fetch(`${httpUrl}/late`);
  await worker.take('invokefunction', ({ data }) => (data as HttpInput | null)?.path === '/late');
  const stopped = stop();
  await once(events, 'close');
  await expect(fetch(`${httpUrl}/late`)).rejects.toThrow('fetch failed');
  go();
  expect(await (await late).text()).toBe('late');
  await stopped;
  expect((await worker.closed).code).toBe(1012);
  expect(log.filter(({ event }) => event.endsWith('cut_off'))).toEqual([]);
});

it('HT-7 routes come and go while requests are in flight, which go on', async () => {
  const { serve, fetch, worker } = await startHttpEngine();
  let go = () => {};
  const id = await serve('/r', () => new Promise((resolve) => (go = () => resolve({ body: 'done' }))));
  const answer = fetch('/r');
  await worker.take('invokefunction', ({ data }) => (data as HttpInput | null)?.path === '/r');
  worker.send({ type: 'unregistertrigger', id });
  await worker.settled();
  expect((await fetch('/r')).status).toBe(404);
  go();
  expect(await (await answer).json()).toBe('done');
});

it('an engine without iii-http keeps http triggers until there is one', async () => {
  const { engine } = await startTestEngine();
  expect(engine.listeners.map(({ name }) => name)).toEqual(['worker', 'stream']);
});
