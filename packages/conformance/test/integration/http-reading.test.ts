import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

async function start(stream: NonNullable<TestEngineOptions['stream']> = {}) {
  const started = await startTestEngine({ stream });
  const worker = await RawWorker.connect(started.workerUrl);
  const url = started.streamUrl.replace('ws:', 'http:');
  const set = (item_id: string, data: unknown, group_id = 'room-1') =>
    worker.call('stream::set', { stream_name: 'chat', group_id, item_id, data });
  return { ...started, worker, url, room: `${url}/stream/chat/room-1`, set };
}

interface Page {
  readonly position: string;
  readonly items: readonly { readonly id: string; readonly data: unknown }[];
  readonly next?: string;
}

async function page(url: string, init?: RequestInit): Promise<Page> {
  return (await (await fetch(url, init)).json()) as Page;
}

test('RV-51 a GET returns the items of a group in the order of their creation, and its position', async () => {
  const { room, set } = await start();
  await set('b', { text: 'hi' });
  await set('a', [1]);
  await set('b', { text: 'hi!' });
  const response = await fetch(room);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  const text = await response.text();
  const { position } = JSON.parse(text) as Page;
  expect(position).toMatch(/^.+:3$/);
  expect(text).toBe(
    `{"stream":"chat","group":"room-1","position":"${position}","items":[{"id":"b","data":{"text":"hi!"}},{"id":"a","data":[1]}]}`,
  );
});

test('RV-51 a GET of an item returns this item, or no item', async () => {
  const { room, set } = await start();
  await set('a', 1);
  expect(await page(`${room}/a`)).toMatchObject({ items: [{ id: 'a', data: 1 }] });
  expect(await page(`${room}/x`)).toMatchObject({ position: expect.stringMatching(/:1$/), items: [] });
  expect(await page(`${room}-none`)).toMatchObject({ position: expect.stringMatching(/:0$/), items: [] });
});

test('RV-51 the entity tag names position and page, and a known one is answered 304', async () => {
  const { room, set } = await start();
  await set('ä"', 1);
  await set('b', 2);
  const first = await fetch(room);
  const etag = first.headers.get('etag') ?? '';
  expect(etag).toBe(`"${((await first.json()) as Page).position}"`);
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const again = await fetch(room, { headers: { 'if-none-match': known } });
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
  }
  const behind = await fetch(`${room}?limit=1&after=${encodeURIComponent('ä"')}`, { headers: { 'if-none-match': etag } });
  expect(behind.status).toBe(200);
  expect(behind.headers.get('etag')).toMatch(/^"[\x21\x23-\x7e]+"$/);
  expect(behind.headers.get('etag')).not.toBe(etag);
  await set('b', 3);
  expect((await fetch(room, { headers: { 'if-none-match': etag } })).status).toBe(200);
  expect((await fetch(`${room}/b`, { headers: { 'if-none-match': etag } })).status).toBe(200);
});

test('RV-51 pages follow each other by limit and after, and a page of large items ends early', async () => {
  const { room, set } = await start();
  const large = 'x'.repeat(700_000);
  for (const item of ['a', 'b', 'c', 'd']) await set(item, item < 'c' ? large : item);
  const ids = ({ items }: Page) => items.map(({ id }) => id);
  const first = await page(room);
  expect([ids(first), first.next]).toEqual([['a'], 'a']);
  const second = await page(`${room}?after=a&limit=2`);
  expect([ids(second), second.next]).toEqual([['b', 'c'], 'c']);
  const third = await page(`${room}?after=c&limit=1`);
  expect([ids(third), third.next]).toEqual([['d'], undefined]);
});

test('RV-51 HEAD has the headers of GET and no body', async () => {
  const { room, set } = await start();
  await set('a', 1);
  const got = await fetch(room);
  const head = await fetch(room, { method: 'HEAD' });
  const shown = ({ headers }: Response) => ['etag', 'content-length', 'cache-control', 'vary'].map((name) => headers.get(name));
  expect(shown(head)).toEqual(shown(got));
  expect(await head.text()).toBe('');
});

test('RV-50 a request that can not be read is answered with a code', async () => {
  const { url, room } = await start();
  const cases: readonly [string, number, string][] = [
    [`${url}/stream/chat`, 404, 'NOT_FOUND'],
    [`${url}/stream/a/b/c/d`, 404, 'NOT_FOUND'],
    [`${url}/stream//b`, 404, 'NOT_FOUND'],
    [`${url}/stream/a/%ff`, 400, 'INVALID_ID'],
    [`${url}/stream/a/${'x'.repeat(257)}`, 400, 'INVALID_ID'],
    [`${url}/stream/rivulet::calls/0`, 400, 'INVALID_ID'],
    [`${room}?limit=0`, 400, 'INVALID_ARGUMENTS'],
    [`${room}?limit=1001`, 400, 'INVALID_ARGUMENTS'],
    [`${room}?limit=1e2`, 400, 'INVALID_ARGUMENTS'],
    [`${room}?after=none`, 400, 'INVALID_ARGUMENTS'],
    [`${room}?after=%00`, 400, 'INVALID_ID'],
    [`${room}?wait=3`, 400, 'INVALID_ARGUMENTS'],
    [`${room}?since=a:1&wait=61`, 400, 'INVALID_ARGUMENTS'],
    [`${room}?since=a:1&limit=3`, 400, 'INVALID_ARGUMENTS'],
    [`${room}/a?limit=3`, 400, 'INVALID_ARGUMENTS'],
  ];
  for (const [target, status, code] of cases) {
    const response = await fetch(target);
    const body = (await response.json()) as { readonly error: { readonly code: string; readonly message: string } };
    expect([target, response.status, body.error.code]).toEqual([target, status, code]);
    expect(body.error.message).not.toBe('');
    expect(response.headers.get('cache-control')).toBe('no-store');
  }
});

test('RV-50 other requests of the port are answered as before', async () => {
  const { url, room } = await start();
  expect(await page(url)).toEqual({ listener: 'stream', engine: 'rivulet' });
  expect((await fetch(`${url}/x`)).status).toBe(426);
  expect((await fetch(room, { method: 'POST', body: '{}' })).status).toBe(426);
  expect((await fetch(room, { headers: { 'sec-websocket-key': 'x' } })).status).toBe(426);
});

test('RV-50 a path prefix may be there or not', async () => {
  const { url, set } = await start({ pathPrefix: '/live' });
  await set('a', 1);
  const [within, without] = await Promise.all([page(`${url}/live/stream/chat/room-1`), page(`${url}/stream/chat/room-1`)]);
  expect(within).toEqual(without);
  expect(within.items).toHaveLength(1);
});

test('RV-55 caches may keep what everyone may read, and nothing else', async () => {
  const { room, set, worker } = await start();
  await set('a', 1);
  const cacheOf = async (init?: RequestInit) => (await fetch(room, init)).headers.get('cache-control');
  expect(await cacheOf()).toBe('public, max-age=0, must-revalidate, s-maxage=1');
  expect((await fetch(room)).headers.get('vary')).toBe('Accept, Origin');
  expect(await cacheOf({ headers: { authorization: 'Bearer x' } })).toBe('private, no-store');
  expect((await fetch(`${room}?token=x`)).headers.get('cache-control')).toBe('private, no-store');
  await worker.serve('app::join', () => ({}));
  await worker.bind('stream:join', 'app::join', {});
  expect(await cacheOf()).toBe('private, no-store');
});

test('RV-50 pages of any origin read a stream whose listener names none; otherwise only those of its origins', async () => {
  const any = await start();
  const open = await fetch(any.room, { headers: { origin: 'https://a.example' } });
  expect(open.headers.get('access-control-allow-origin')).toBe('*');
  expect(open.headers.get('access-control-allow-credentials')).toBeNull();
  const { room } = await start({ allowedOrigins: ['https://a.example'] });
  const own = await fetch(room, { headers: { origin: 'https://a.example' } });
  expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([200, 'https://a.example']);
  expect(own.headers.get('access-control-allow-credentials')).toBe('true');
  const other = await fetch(room, { headers: { origin: 'https://b.example' } });
  expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, null]);
  expect(await other.json()).toMatchObject({ error: { code: 'ORIGIN_NOT_ALLOWED' } });
  expect((await fetch(room)).status).toBe(200);
  const preflight = await fetch(room, { method: 'OPTIONS', headers: { origin: 'https://a.example' } });
  expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
});

test('RV-54 the auth function and the join functions decide about a GET, and an allow is kept for each credential and group', async () => {
  const { room, worker, set, engine } = await start({ authFunction: 'app::auth' });
  const asked: unknown[] = [];
  await worker.serve('app::auth', (data) => {
    const { headers } = data as { readonly headers: Readonly<Record<string, string>> };
    asked.push(headers['authorization']);
    return headers['authorization'] === 'Bearer good' ? { context: { user: 1 }, identity: 'ann' } : { unauthorized: true };
  });
  const events: { readonly transport?: string; readonly group_id: string }[] = [];
  await worker.serve('app::join', (data) => {
    events.push(data as (typeof events)[number]);
    return { unauthorized: (data as { readonly group_id: string }).group_id === 'room-2', lease: { item_id: 'l', data: 1 } };
  });
  await worker.serve('app::leave', (data) => void events.push(data as (typeof events)[number]));
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  await set('a', 1);
  const good = { headers: { authorization: 'Bearer good' } };
  expect(await page(room, good)).toMatchObject({ items: [{ id: 'a' }] });
  expect((await fetch(`${room}?limit=1`, { headers: { ...good.headers, 'if-none-match': '"x"' } })).status).toBe(200);
  expect(asked).toEqual(['Bearer good']);
  expect(events).toEqual([
    {
      subscription_id: expect.any(String),
      stream_name: 'chat',
      group_id: 'room-1',
      id: null,
      context: { user: 1 },
      identity: 'ann',
      transport: 'http',
    },
  ]);
  const refused = await fetch(room.replace('room-1', 'room-2'), good);
  expect([refused.status, await refused.json()]).toMatchObject([403, { error: { code: 'FORBIDDEN' } }]);
  const bad = await fetch(room);
  expect([bad.status, await bad.json()]).toMatchObject([401, { error: { code: 'UNAUTHORIZED' } }]);
  expect(bad.headers.get('cache-control')).toBe('private, no-store');
  const before = asked.length;
  await worker.call('engine::sessions::disconnect', { identity: 'ann' });
  expect((await fetch(room, good)).status).toBe(200);
  expect(asked.length).toBe(before + 1);
  // No lease was created, and no leave function called.
  expect(await page(room, good)).toMatchObject({ items: [{ id: 'a' }] });
  expect(events.filter(({ transport }) => transport !== 'http')).toEqual([]);
  expect(engine.listeners.length).toBeGreaterThan(0);
});

test('RV-54 images and links of foreign pages read nothing with the cookies of a user', async () => {
  const { room, worker } = await start({ authFunction: 'app::auth' });
  await worker.serve('app::auth', (data) => ({
    unauthorized: (data as { readonly headers: Readonly<Record<string, string>> }).headers['cookie'] !== 'user=ann',
  }));
  // `fetch` of Node sets these headers as they are.
  const statusOf = async (site: string) => (await fetch(room, { headers: { cookie: 'user=ann', 'sec-fetch-site': site } })).status;
  expect([await statusOf('cross-site'), await statusOf('same-site')]).toEqual([401, 401]);
  expect([await statusOf('same-origin'), await statusOf('none')]).toEqual([200, 200]);
  expect((await fetch(room, { headers: { cookie: 'user=ann' } })).status).toBe(200);
});

test('RV-54 without its auth function, a GET is answered 503 and may be repeated', async () => {
  const { room } = await start({ authFunction: 'app::auth' });
  const response = await fetch(room);
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await response.json()).toMatchObject({ error: { code: 'AUTH_UNDECIDED' } });
});

test('RV-51 a stream that a worker stores has no position and no entity tag', async () => {
  const { url, worker } = await start();
  await worker.serve('stream::list(boards)', () => [{ id: 'x', n: 1 }]);
  const response = await fetch(`${url}/stream/boards/1`);
  expect(response.headers.get('etag')).toBeNull();
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.json()).toMatchObject({ position: null, items: [{ data: { id: 'x', n: 1 } }] });
});

test('a client that sends many requests and reads no answer is dropped', async () => {
  const { streamUrl, log } = await start();
  const { port } = new URL(streamUrl);
  const { connect } = await import('node:net');
  const socket = connect(Number(port), '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.write('GET /stream/a/b HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(40));
  socket.resume();
  await closed;
  expect(log.filter(({ event }) => event === 'plain_pipeline_refused')).toHaveLength(1);
});
