import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { PATIENCE_MS } from '@rivulet/testkit/inbox';
import { EventStream } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, test } from 'vitest';
import { HeldAnswers } from '../held-answers.js';
import { Arrivals, LongPollers, request } from '../long-pollers.js';
import { fileOf, startCountedNginx, startHaproxy, startNginx } from '../proxies.js';

/** Number of long pollers behind nginx. `RIVULET_POLLERS=1000` is the goal of the example. */
const POLLERS = Number(process.env['RIVULET_POLLERS'] ?? 100);
const PER_CHANGE = 5;

async function start(proxy: (streamPort: number) => Promise<string>) {
  const { workerUrl, streamUrl, stop } = await startTestEngine();
  const port = Number(new URL(streamUrl).port);
  const worker = await RawWorker.connect(workerUrl);
  const set = (item_id: string, data: unknown) => worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id, data });
  await set('first', 0);
  const url = await proxy(port);
  const arrivals = new Arrivals(port);
  return { url, port, room: `${url}/stream/chat/room-1`, set, stop, arrivals };
}

const positionOf = async (room: string) => (JSON.parse((await request(room)).text) as { readonly position: string }).position;
const kindOf = ({ data }: { readonly data: string }) =>
  (JSON.parse(data) as { readonly event?: { readonly type: string } }).event?.type ?? 'control';

describe.each([
  ['nginx', startNginx],
  ['HAProxy', startHaproxy],
])('%s', (_name, proxy) => {
  test('passes WebSockets, and event streams event by event', async () => {
    const { url, room, set } = await start(proxy);
    const socket = await StreamSocket.open(`${url.replace('http:', 'ws:')}/stream/chat/room-1?positions=1`);
    await socket.take('sync');
    const streams = [EventStream.open(room), EventStream.open(room), EventStream.open(`${url}/events?group=chat/room-1`)];
    for (const { events } of streams) await events.take((event) => kindOf(event) === 'sync');
    await set('a', 1);
    await socket.take('create');
    const got = await Promise.all(streams.map(({ events }) => events.take((event) => kindOf(event) === 'create')));
    const resumed = EventStream.open(room, { 'last-event-id': String(got[0]?.id) });
    await set('b', 1);
    await resumed.events.take(({ data }) => data.includes('"resumed"'));
    await resumed.events.take(({ data }) => data.includes('"id":"b"'));
    expect(resumed.events.all.map(({ data }) => data).filter((data) => data.includes('"id":"a"'))).toEqual([]);
  });

  test('answers snapshots with 304, and long polls with the next change', async () => {
    const { room, set } = await start(proxy);
    const { headers } = await request(room);
    const etag = String(headers['etag']);
    expect((await request(room, { 'if-none-match': etag })).status).toBe(304);
    const waiting = request(`${room}?since=${await positionOf(room)}&wait=60`);
    await set('a', 1);
    expect((await waiting).text).toContain('"id":"a"');
  });

  test('tells an event stream to return while the engine is away, and other requests the truth', async () => {
    const { room, stop } = await start(proxy);
    await stop();
    const stream = EventStream.open(room, { origin: 'https://page.example' });
    expect(await stream.head).toMatch(/^HTTP\/1.1 200 [\s\S]*content-type: text\/event-stream/i);
    await expect.poll(() => stream.others).toEqual(['retry: 3000']);
    expect((await request(room)).status).toBeGreaterThanOrEqual(502);
  });
});

test(`nginx asks the engine at most ${PER_CHANGE} times for each change, for ${POLLERS} long pollers`, async () => {
  const { room, set, arrivals } = await start(startNginx);
  const pollers = new LongPollers(POLLERS, room, await positionOf(room), [30, 29]);
  const counts: number[] = [];
  for (let change = 2; change < 7; change++) {
    await set('a', change);
    await pollers.have(change);
    counts.push(arrivals.take());
  }
  expect(Math.max(...counts)).toBeLessThanOrEqual(PER_CHANGE);
  // Each reader got each change once.
  const all = Array.from({ length: 5 }, (_, index) => index + 2);
  expect(pollers.offsets.filter((got) => got.join() !== all.join())).toEqual([]);
  if (POLLERS > 100) console.log(`${POLLERS} pollers: requests to the engine for each change: ${counts.join(' ')}`);
});

test('nginx asks once when nothing changes until the time is over, for all long pollers that wait then', async () => {
  const { port, room: direct, set, arrivals } = await start(async (streamPort) => `http://127.0.0.1:${streamPort}`);
  const between = new HeldAnswers(port);
  const { url, unanswered } = await startCountedNginx(await between.listen());
  const since = await positionOf(direct);
  arrivals.take();
  const pollers = new LongPollers(POLLERS, `${url}/stream/chat/room-1`, since, [2, 1, 30]);
  const allWait = () => expect.poll(unanswered, { timeout: PATIENCE_MS, interval: 20 }).toBe(POLLERS);
  for (const wait of [2, 1]) {
    const { url: asked, keptS, release } = await between.held.take(() => true);
    await allWait();
    expect([asked, keptS]).toEqual([`/stream/chat/room-1?since=${since}&wait=${wait}`, 1]);
    expect(arrivals.take()).toBe(1);
    release();
    for (let n = 0; n < POLLERS; n++) await pollers.idle.take(() => true);
  }
  await allWait();
  expect(arrivals.take()).toBe(1);
  expect(between.held.all.length).toBe(2);
  await set('a', 1);
  await pollers.have(2);
  expect(pollers.offsets.filter((got) => got.join() !== '2')).toEqual([]);
});

test('nginx keeps nothing of a reader with a token, and lets nobody wait for it', async () => {
  const { room, set, arrivals } = await start(startNginx);
  const url = `${room}?since=${await positionOf(room)}&wait=60`;
  arrivals.take();
  const reads = [request(url, { authorization: 'Bearer a' }), request(url, { authorization: 'Bearer b' }), request(`${url}&token=c`)];
  await expect.poll(() => arrivals.urls.length).toBe(3);
  await set('a', 1);
  for (const { headers } of await Promise.all(reads)) expect(headers['cache-control']).toBe('private, no-store');
});

test('the times of the files are above those of the engine', async () => {
  const seconds = (text: string, pattern: RegExp) => Number(pattern.exec(text)?.[1]) * 1_000;
  const nginx = await fileOf('nginx.conf');
  const haproxy = await fileOf('haproxy.cfg');
  for (const name of ['proxy_read_timeout', 'proxy_cache_lock_age', 'proxy_cache_lock_timeout'])
    expect(seconds(nginx, new RegExp(`${name} (\\d+)s;`))).toBeGreaterThan(LIMITS.longPollMs);
  for (const name of ['timeout client', 'timeout server'])
    expect(seconds(haproxy, new RegExp(`${name} (\\d+)s\\n`))).toBeGreaterThan(LIMITS.longPollMs);
});
