import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { EngineOptions } from '@rivulet/engine';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { ChaosProxy } from '@rivulet/testkit/links/chaos-proxy';
import { EventStream, type StreamEvent } from '@rivulet/testkit/peers/event-stream';
import { ExactEvents } from '@rivulet/testkit/peers/exact-events';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { Random } from '@rivulet/testkit/random';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

const ROOM = { stream_name: 'chat', group_id: 'room' };
const PATH = 'chat/room';
/** Pause of a reader before it returns, and how often it returns at most. */
const RETURN_MS = 200;
const MOST_RETURNS = 200;

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

const kindOf = ({ data }: StreamEvent) => (JSON.parse(data) as { readonly type: string }).type;

/** Starts two engines over one Redis. `a` reaches it through a proxy that the test can silence. */
async function start(outage: EngineOptions['outage'] = {}) {
  const proxy = await ChaosProxy.to({ host: '127.0.0.1', port: server.port }, new Random(1), () => {});
  onTestFinished(() => proxy.close());
  const prefix = `test-${randomUUID()}`;
  const engine = async (url: string) => {
    const adapter = (of: string) =>
      ({ kind: 'redis', url, keyPrefix: `${prefix}:${of}`, commandTimeoutMs: 2_000, connectTimeoutMs: 5_000 }) as const;
    return startTestEngine({ stream: { adapter: adapter('streams') }, state: { adapter: adapter('state') }, outage });
  };
  const a = await engine(`redis://127.0.0.1:${proxy.port}`);
  const b = await engine(server.url);
  const worker = await RawWorker.connect(b.workerUrl);
  const set = (item_id: string) => worker.result('stream::set', { ...ROOM, item_id, data: item_id });
  const silence = () => {
    proxy.blackhole('down');
    proxy.blackhole('up');
  };
  return { a: a.streamUrl.replace('ws:', 'http:'), b: b.streamUrl.replace('ws:', 'http:'), set, silence, heal: () => proxy.heal() };
}

/** Reads the group as an `EventSource` does, which returns when the engine sends `retry`, until it has the change at this offset. */
async function readThrough(url: string, exact: ExactEvents, offset: number): Promise<void> {
  const isThere = ({ id }: StreamEvent) => id?.endsWith(`:${offset}`) === true;
  for (let opened = 0; exact.offsetOf(PATH) < offset; opened++) {
    expect(opened).toBeLessThan(MOST_RETURNS);
    if (opened > 0) await pause(RETURN_MS);
    const stream = EventStream.open(url + exact.target, exact.lastId === undefined ? {} : { 'last-event-id': exact.lastId });
    await expect.poll(() => stream.socket.destroyed || stream.events.all.some(isThere)).toBe(true);
    stream.socket.destroy();
    for (const event of stream.events.all) exact.take(event);
    exact.cut();
  }
}

test('RV-53 F45 an outage of the store ends event streams with retry, refuses polls with 503, and costs no change', async () => {
  const { a, b, set, silence, heal } = await start({ keepMs: 3_000, spreadMs: 500, refuseMs: 1_000 });
  await set('i1');
  const exact = new ExactEvents([PATH]);
  const stream = EventStream.open(a + exact.target);
  const first = await stream.events.take(({ id }) => id?.endsWith(':1') === true);
  const since = encodeURIComponent(first.id ?? '');
  silence();
  await stream.events.take((event) => kindOf(event) === 'stale', 'stale');
  for (let offset = 2; offset <= 5; offset++) await set(`i${offset}`);
  // The engine keeps no reader for longer than `keepMs`, and takes none.
  await stream.closed;
  expect(stream.others).toContainEqual(expect.stringMatching(/^retry: \d+$/));
  const refused = EventStream.open(a + exact.target, { 'last-event-id': first.id ?? '' });
  expect(await refused.head).toMatch(/^HTTP\/1.1 200 /);
  await refused.closed;
  expect([refused.events.all, refused.others]).toEqual([[], [expect.stringMatching(/^retry: \d+$/)]]);
  const poll = await fetch(`${a}/stream/${PATH}?since=${since}&wait=30`);
  expect([poll.status, poll.headers.get('cache-control'), await poll.json()]).toEqual([
    503,
    'no-store',
    { error: { code: 'STORE_UNAVAILABLE', message: expect.any(String) as unknown } },
  ]);
  for (const event of stream.events.all) exact.take(event);
  exact.cut();
  // Another engine has its Redis. The reader goes on there with the id of the first one.
  await readThrough(b, exact, 5);
  heal();
  await set('i6');
  // The first engine takes readers again as soon as it has its Redis.
  await readThrough(a, exact, 6);
  expect(exact.figures).toMatchObject({ lost: 0, doubled: 0, wrongIds: 0, replaced: 0 });
  expect([...exact.itemsOf(PATH).keys()]).toEqual(['i1', 'i2', 'i3', 'i4', 'i5', 'i6']);
});

test('RV-17 RV-53 a short outage ends no event stream: stale has no id, and caught_up has the id behind all that was missed', async () => {
  const { a, set, silence, heal } = await start();
  await set('i1');
  const exact = new ExactEvents([PATH]);
  const stream = EventStream.open(a + exact.target);
  await stream.events.take(({ id }) => id?.endsWith(':1') === true);
  silence();
  const stale = await stream.events.take((event) => kindOf(event) === 'stale', 'stale');
  expect(stale.id).toBeUndefined();
  await set('i2');
  heal();
  const back = await stream.events.take((event) => kindOf(event) === 'caught_up', 'caught_up');
  expect(back.id).toMatch(/:2$/);
  await set('i3');
  await stream.events.take(({ id }) => id?.endsWith(':3') === true);
  for (const event of stream.events.all) exact.take(event);
  expect(exact.figures).toMatchObject({ lost: 0, doubled: 0, wrongIds: 0, replaced: 0 });
  expect([...exact.itemsOf(PATH).keys()]).toEqual(['i1', 'i2', 'i3']);
});
