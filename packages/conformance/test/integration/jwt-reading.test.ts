import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { inSeconds, jwtConfig, RSA, token as signed, userToken as token } from '@rivulet/testkit/jwt-tokens';
import { EventStream } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';

const CHAT = { rivulet: { join: ['chat/*', 'news/today', 'orders/all/mine'] } };

/** Options of `fetch`, with the headers as an object. */
type ReadInit = Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> };

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine({ ...options, stream: { jwt: jwtConfig(), ...options.stream } });
  const worker = await RawWorker.connect(started.workerUrl);
  const set = (stream_name: string, group_id: string, item_id: string) =>
    worker.result('stream::set', { stream_name, group_id, item_id, data: 1 });
  const url = started.streamUrl.replace('ws:', 'http:');
  /** Reads a path as the holder of a token. Without a token, or with a wrong one, nobody may read. */
  const read = (path: string, claims: object = CHAT, init: ReadInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${token(claims)}`, ...init.headers } });
  return { ...started, worker, set, url, read };
}

interface Page {
  readonly position: string;
  readonly items: readonly { readonly id: string }[];
}

const statusOf = async (answer: Promise<Response>) => {
  const { status, headers } = await answer;
  // No answer that depends on a token may be kept by a cache.
  expect(headers.get('cache-control')).toBe('private, no-store');
  return status;
};

/** The ways to read a group by plain HTTP. `of`: the path of the group. */
const WAYS: readonly (readonly [name: string, path: (of: string) => string, init?: ReadInit])[] = [
  ['the snapshot', (of) => `/stream/${of}`],
  ['an item', (of) => `/stream/${of}/a`],
  ['a page', (of) => `/stream/${of}?limit=1&after=a`],
  ['the changes since a position', (of) => `/stream/${of}?since=0`],
  ['a long poll', (of) => `/stream/${of}?since=x:0&wait=60`],
  ['HEAD', (of) => `/stream/${of}`, { method: 'HEAD' }],
  ['a conditional request', (of) => `/stream/${of}`, { headers: { 'if-none-match': '*' } }],
  ['an event stream', (of) => `/stream/${of}`, { headers: { accept: 'text/event-stream' } }],
  ['HEAD of an event stream', (of) => `/stream/${of}`, { method: 'HEAD', headers: { accept: 'text/event-stream' } }],
  ['an event stream of several groups', (of) => `/events?group=chat/room-1&group=${of}`],
  ['HEAD of several groups', (of) => `/events?group=${of}&group=chat/room-1`, { method: 'HEAD' }],
];

for (const [name, path, init] of WAYS) {
  test(`${name} by plain HTTP needs a right token, and a grant for the group`, async () => {
    const { read, set, url } = await start();
    await set('chat', 'room-2', 'a');
    await set('orders', 'all', 'a');
    const ends = new AbortController();
    const get = (of: string, claims?: object, more: ReadInit = {}) => read(path(of), claims, { ...init, signal: ends.signal, ...more });
    const allowed = await get('chat/room-2');
    expect([200, 304]).toContain(allowed.status);
    expect(allowed.headers.get('cache-control')).toBe('private, no-store');
    expect(await statusOf(get('orders/all'))).toBe(403);
    expect(await statusOf(get('chat/room-2', {}))).toBe(403);
    expect(await statusOf(get('chat/room-2', { rivulet: { call: ['chat::*'] } }))).toBe(403);
    expect(await statusOf(get('chat/room-2', { ...CHAT, exp: inSeconds(-1) }))).toBe(401);
    expect(await statusOf(get('chat/room-2', { ...CHAT, nbf: inSeconds(600) }))).toBe(401);
    expect(await statusOf(fetch(`${url}${path('chat/room-2')}`, { ...init, signal: ends.signal }))).toBe(401);
    // The answer to one token says nothing about another one of the same user, also while an allow is kept.
    expect(await statusOf(get('chat/room-2', { rivulet: { join: ['chat/room-3'] } }))).toBe(403);
    ends.abort();
  });
}

test('a grant of one item lets its holder read this item only', async () => {
  const { read, set } = await start();
  await set('orders', 'all', 'mine');
  await set('orders', 'all', 'other');
  expect((await (await read('/stream/orders/all/mine')).json()) as Page).toMatchObject({ items: [{ id: 'mine' }] });
  for (const path of ['/stream/orders/all', '/stream/orders/all/other', '/stream/orders/all?since=0', '/events?group=orders/all'])
    expect([path, await statusOf(read(path))]).toEqual([path, 403]);
});

test('a token in the query reads as well, and another one in the same path has grants of its own', async () => {
  const { url, set } = await start();
  await set('chat', 'room-1', 'a');
  const path = `${url}/stream/chat/room-1?token=`;
  expect((await fetch(`${path}${token(CHAT)}`)).status).toBe(200);
  expect((await fetch(`${path}${token({})}`)).status).toBe(403);
  expect((await fetch(`${path}${token(CHAT, 'x'.repeat(48))}`)).status).toBe(401);
});

test('auth function and join functions decide about a plain read too, after the token', async () => {
  const { read, worker, set } = await start({ stream: { authFunction: 'app::auth' } });
  await set('chat', 'room-1', 'a');
  const asked: unknown[] = [];
  await worker.serve('app::auth', (data) => {
    const { sub } = (data as { claims: { sub: string } }).claims;
    asked.push(sub);
    return sub === 'bob' ? { unauthorized: true } : {};
  });
  await worker.serve('app::join', (data) => {
    asked.push(data);
    return { unauthorized: (data as { group_id: string }).group_id === 'closed' };
  });
  await worker.bind('stream:join', 'app::join', {});
  expect(await statusOf(read('/stream/chat/room-1', { ...CHAT, exp: 1 }))).toBe(401);
  expect(asked).toEqual([]);
  expect(await statusOf(read('/stream/chat/room-1', { ...CHAT, sub: 'bob' }))).toBe(401);
  expect(await statusOf(read('/stream/orders/all'))).toBe(403);
  expect(asked).toEqual(['bob', 'ann']);
  expect(await statusOf(read('/stream/chat/closed'))).toBe(403);
  expect(await statusOf(read('/stream/chat/room-1'))).toBe(200);
  expect(asked.slice(2)).toMatchObject(['ann', { group_id: 'closed', identity: 'ann' }, 'ann', { group_id: 'room-1', transport: 'http' }]);
});

test('the metrics count tokens and refusals, and a token that comes again costs no signature', async () => {
  const { read, adminUrl } = await start({ admin: {} });
  for (const group of ['room-1', 'room-2', 'room-3']) expect((await read(`/stream/chat/${group}`, { ...CHAT, exp: 4e9 })).status).toBe(200);
  await read('/stream/chat/room-1', { ...CHAT, exp: 1 });
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const valueOf = (sample: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(sample))
        ?.slice(sample.length),
    );
  expect(['right', 'known', 'refused'].map((result) => valueOf(`rivulet_tokens_checked_total{result="${result}"}`))).toEqual([1, 2, 1]);
  expect(valueOf('rivulet_tokens_refused_total{reason="token_expired"}')).toBe(1);
});

/** An engine whose clock the test sets. */
async function startWithClock() {
  const clock = { time: Date.now() };
  const started = await start({ clock: { now: () => clock.time, monotonic: () => performance.now() } });
  await started.set('chat', 'room-1', 'a');
  return { ...started, clock };
}

test('a kept allow ends at exp', async () => {
  const { read, clock } = await startWithClock();
  const exp = inSeconds(100);
  expect(await statusOf(read('/stream/chat/room-1', { ...CHAT, exp }))).toBe(200);
  clock.time = exp * 1_000;
  expect(await statusOf(read('/stream/chat/room-1', { ...CHAT, exp }))).toBe(401);
});

test('a long poll ends at exp with 401, because nobody may wait on', async () => {
  const { read, clock } = await startWithClock();
  const { position } = (await (await read('/stream/chat/room-1')).json()) as Page;
  const exp = inSeconds(100);
  clock.time = exp * 1_000 - 50;
  const answer = await read(`/stream/chat/room-1?since=${position}&wait=60`, { ...CHAT, exp });
  expect([answer.status, await answer.json()]).toMatchObject([401, { error: { code: 'UNAUTHORIZED' } }]);
});

test.each(['/large', '/large?since=x:0'])('S19 a client that takes %s slowly gets nothing more after exp', async (path) => {
  const { clock, url, worker, streamUrl } = await startWithClock();
  const exp = inSeconds(3_600);
  // More than the buffers of both sockets take.
  for (const item_id of path.includes('since') ? ['a', 'b', 'c'] : ['a'])
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'large', item_id, data: 'x'.repeat(7_500_000) });
  // The engine checks this session and the answer at the same time.
  const session = await StreamSocket.open(`${streamUrl}/?token=${token({ ...CHAT, exp })}`);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(`GET /stream/chat${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token({ ...CHAT, exp })}\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  expect(head.toString('latin1')).toMatch(/^HTTP\/1.1 200 /);
  clock.time = exp * 1_000 + 300;
  expect(await session.closed).toBe(1008);
  let end = '';
  socket.on('data', (data: Buffer) => (end = data.toString('latin1').slice(-10)));
  socket.resume();
  await closed;
  expect(end).toBe('xxxxxxxxxx');
});

test('an event stream ends at exp, and a browser that returns with the old token is refused for good', async () => {
  const { clock, url, read } = await startWithClock();
  const exp = inSeconds(100);
  const old = token({ ...CHAT, exp });
  const streams = [`stream/chat/room-1?token=${old}`, `events?group=chat/room-1&group=news/today&token=${old}`].map((path) =>
    EventStream.open(`${url}/${path}`.replace('http:', 'ws:')),
  );
  for (const stream of streams) expect(await stream.head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  clock.time = exp * 1_000;
  for (const stream of streams) await stream.closed;
  expect(await statusOf(read('/stream/chat/room-1', { ...CHAT, exp }, { headers: { accept: 'text/event-stream' } }))).toBe(401);
});

test('without its key server the engine answers 503, on every way in, and lets in when the server is there', async () => {
  const jwk = { ...RSA.publicKey.export({ format: 'jwk' }), kid: 'one' };
  let isUp = false;
  const server = createServer((_request, response) => void response.writeHead(isUp ? 200 : 500).end(JSON.stringify({ keys: [jwk] })));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const jwt = jwtConfig({ algorithms: ['RS256'], keys: { kind: 'jwks_url', url } });
  let skew = 0;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() + skew };
  const started = await startTestEngine({ stream: { jwt, authRejectMode: 'http' }, guest: { rbac: { jwt } }, clock });
  const right = signed({ sub: 'ann', exp: inSeconds(3_600), ...CHAT }, { alg: 'RS256', kid: 'one' }, RSA.privateKey);
  const statusOfSocket = (opening: Promise<unknown>) =>
    opening.then(
      () => 'connected',
      (error: Error) => error.message,
    );
  const ways = async () => [
    await fetch(`${started.streamUrl.replace('ws:', 'http:')}/stream/chat/room-1?token=${right}`).then(({ status }) => status),
    await statusOfSocket(StreamSocket.open(`${started.streamUrl}/?token=${right}`)),
    await statusOfSocket(RawWorker.connect(`${started.guestUrl}/?token=${right}`)),
  ];
  expect(await ways()).toEqual([503, 'HTTP 503', 'HTTP 503']);
  isUp = true;
  skew += 60_000;
  expect(await ways()).toEqual([200, 'connected', 'connected']);
  isUp = false;
  skew += 1_800_000;
  expect(await ways()).toEqual([200, 'connected', 'connected']);
  skew += 3_600_000;
  expect(await ways()).toEqual([503, 'HTTP 503', 'HTTP 503']);
  expect(started.log.filter(({ event }) => event === 'jwt_keys_failed').length).toBeGreaterThan(3);
});
