import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { EventStream, type StreamEvent } from '@rivulet/testkit/peers/event-stream';
import { ExactEvents } from '@rivulet/testkit/peers/exact-events';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const ROOM = { stream_name: 'chat', group_id: 'room-1' };
const PATH = 'chat/room-1';

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  const set = (item_id: string, data: unknown = item_id) => worker.result('stream::set', { ...ROOM, item_id, data });
  return { ...started, worker, set, url: started.streamUrl.replace('ws:', 'http:') };
}

const isAt = (offset: number) => (event: StreamEvent) => event.id?.endsWith(`:${offset}`) === true;
/** Returns the ids of the items of an event's frame. */
const itemOf = ({ data }: StreamEvent) => (JSON.parse(data) as { readonly id?: string }).id;

test('RV-53 behind a path prefix, and without it, streams are the same, and an id of one resumes the other', async () => {
  const { url, set } = await start({ stream: { pathPrefix: '/live' } });
  await set('a');
  const first = EventStream.open(`${url}/live/stream/${PATH}`);
  const sync = await first.events.take(isAt(1));
  first.socket.destroy();
  await set('b');
  const second = EventStream.open(`${url}/stream/${PATH}`, { 'last-event-id': sync.id ?? '' });
  expect(itemOf(await second.events.take(isAt(2)))).toBe('b');
  const several = EventStream.open(`${url}/live/events?group=${PATH}&group=chat/room-2&since=${encodeURIComponent(`${sync.id},`)}`);
  expect(itemOf(await several.events.take(({ data }) => data.includes('"create"')))).toBe('b');
  expect(await EventStream.open(`${url}/live/live/stream/${PATH}`).head).toMatch(/^HTTP\/1.1 4/);
});

test('RV-50 pages of allowed origins read event streams, and pages of others get a final answer', async () => {
  const { url, set } = await start({ stream: { allowedOrigins: ['https://a.example'] } });
  await set('a');
  for (const target of [`/stream/${PATH}`, `/events?group=${PATH}&group=chat/room-2`]) {
    const own = EventStream.open(url + target, { origin: 'https://a.example' });
    expect((await own.head).toLowerCase()).toContain('access-control-allow-origin: https://a.example\r\n');
    await own.events.take(({ id }) => id !== undefined);
    const other = EventStream.open(url + target, { origin: 'https://b.example' });
    const head = await other.head;
    expect(head).toMatch(/^HTTP\/1.1 403 /);
    expect(head.toLowerCase()).not.toContain('access-control-allow-origin');
    const preflight = await fetch(url + target, { method: 'OPTIONS', headers: { origin: 'https://a.example' } });
    expect(preflight.headers.get('access-control-allow-headers')).toContain('last-event-id');
  }
});

test('RV-53 HEAD has the head of a stream and no event; each join that it made is left', async () => {
  const { url, worker, engine } = await start();
  const seen: string[] = [];
  await worker.serve('app::join', () => void seen.push('join'));
  await worker.serve('app::leave', () => void seen.push('leave'));
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  const answer = await fetch(`${url}/events?group=${PATH}&group=chat/room-2`, {
    method: 'HEAD',
    headers: { accept: 'text/event-stream' },
  });
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, 'text/event-stream', '']);
  await expect.poll(() => seen.toSorted()).toEqual(['join', 'join', 'leave', 'leave']);
  expect(engine.figures()).toMatchObject({ sessions: 0 });
});

test('RV-52 RV-53 SIGTERM ends streams with retry and polls with 503, and the ids and positions go on at the next start', async () => {
  const engine = await EngineProcess.start();
  let worker = await RawWorker.connect(engine.workerUrl);
  const set = (item_id: string) => worker.result('stream::set', { ...ROOM, item_id, data: item_id });
  await set('a');
  const url = engine.streamUrl.replace('ws:', 'http:');
  const exact = new ExactEvents([PATH]);
  const stream = EventStream.open(url + exact.target);
  await stream.events.take(isAt(1));
  for (let offset = 2; offset <= 5; offset++) await set(`i${offset}`);
  const last = await stream.events.take(isAt(5));
  const poll = fetch(`${url}/stream/${PATH}?since=${encodeURIComponent(last.id ?? '')}&wait=60`);
  // The poll has reached the engine when an answer to a later request has come over another connection, and it waits.
  await expect.poll(async () => (await fetch(`${url}/stream/${PATH}`)).status).toBe(200);
  const code = engine.stop();
  await stream.closed;
  expect(stream.others).toContainEqual(expect.stringMatching(/^retry: \d+$/));
  const stopped = await poll;
  expect([stopped.status, stopped.headers.get('retry-after'), stopped.headers.get('connection'), await stopped.json()]).toEqual([
    503,
    '5',
    'close',
    { error: { code: 'ENGINE_STOPPING', message: expect.any(String) as unknown } },
  ]);
  expect(await code).toBe(0);
  for (const event of stream.events.all) exact.take(event);
  exact.cut();
  await engine.start();
  worker = await RawWorker.connect(engine.workerUrl);
  await set('after');
  const again = EventStream.open(url + exact.target, { 'last-event-id': exact.lastId ?? '' });
  await again.events.take(isAt(6));
  for (const event of again.events.all) exact.take(event);
  expect(exact.figures).toMatchObject({ lost: 0, doubled: 0, wrongIds: 0, replaced: 0 });
  const changes = await fetch(`${url}/stream/${PATH}?since=${encodeURIComponent(last.id ?? '')}`);
  const body = (await changes.json()) as { readonly changes: readonly object[] };
  expect(body).toMatchObject({ position: exact.lastId });
  expect(body.changes[0]).toMatchObject({ id: 'after', offset: 6 });
});
