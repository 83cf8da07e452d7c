import { randomUUID } from 'node:crypto';
import { connect, type StreamClient } from '@rivulet/client';
import type { EngineOptions } from '@rivulet/engine';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { balance } from '@rivulet/testkit/links/balancer';
import { ChaosProxy } from '@rivulet/testkit/links/chaos-proxy';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { Random } from '@rivulet/testkit/random';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Item, Motia } from '../harness/motia-client.js';

const ROOM = { stream_name: 'chat', group_id: 'room' };
const PATH = '/stream/chat/room';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

interface Node {
  readonly streamUrl: string;
  readonly worker: RawWorker;
  readonly log: readonly { readonly event: string }[];
  readonly set: (item_id: string, data?: unknown) => Promise<unknown>;
}

interface NodeOptions {
  readonly url?: string;
  readonly outage?: EngineOptions['outage'];
  readonly authRejectMode?: 'http';
}

async function node(keyPrefix: string, { url = server.url, outage, authRejectMode }: NodeOptions = {}): Promise<Node> {
  const adapter = (of: string) =>
    ({ kind: 'redis', url, keyPrefix: `${keyPrefix}:${of}`, commandTimeoutMs: 2_000, connectTimeoutMs: 5_000 }) as const;
  const { workerUrl, streamUrl, log } = await startTestEngine({
    stream: { adapter: adapter('streams'), ...(authRejectMode === undefined ? {} : { authRejectMode }) },
    state: { adapter: adapter('state') },
    ...(outage === undefined ? {} : { outage }),
  });
  const worker = await RawWorker.connect(workerUrl);
  const set = (item_id: string, data: unknown = { id: item_id }) => worker.result('stream::set', { ...ROOM, item_id, data });
  return { streamUrl, worker, log, set };
}

/** Opens a proxy between an engine and Redis. While it is silent, both ends still look connected. */
async function line(to = server) {
  const proxy = await ChaosProxy.to({ host: '127.0.0.1', port: to.port }, new Random(1), () => {});
  onTestFinished(() => proxy.close());
  const silence = () => {
    proxy.blackhole('down');
    proxy.blackhole('up');
  };
  return { url: `redis://127.0.0.1:${proxy.port}`, silence, heal: () => proxy.heal() };
}

/** Starts two engines. `a` uses Redis over a proxy that the test can silence, `b` uses it directly. */
async function pair(options: NodeOptions = {}) {
  const prefix = `test-${randomUUID()}`;
  const between = await line();
  return { a: await node(prefix, { ...options, url: between.url }), b: await node(prefix), ...between };
}

const control = ({ type, event, data }: StreamFrame) => (event === undefined ? `${type} ${String(data?.subscriptionId)}` : undefined);
const controls = (client: StreamSocket) => client.inbox.all.map(control).filter((text) => text !== undefined);
/** Returns the frames after `from` in order: control frames as type and subscription, others as type and item. */
const since = (client: StreamSocket, from: StreamFrame) =>
  client.inbox.all
    .slice(client.inbox.all.indexOf(from) + 1)
    .map((frame) => control(frame) ?? `${frame.event.type} ${frame.id ?? ''}`.trim());
const stale = (client: StreamSocket, subscriptionId: string) =>
  client.inbox.take(({ type, data }) => type === 'stale' && data?.subscriptionId === subscriptionId, `stale of ${subscriptionId}`);
const caughtUp = (client: StreamSocket, subscriptionId: string) =>
  client.inbox.take(({ type, data }) => type === 'caught_up' && data?.subscriptionId === subscriptionId, `caught_up of ${subscriptionId}`);

function viewer(url: string): StreamClient {
  const client = connect(url, { WebSocket });
  onTestFinished(() => client.close());
  return client;
}

test('RV-17 F45 F39 clients of an engine without its Redis get stale within 5 s, once, and caught_up after all that they missed', async () => {
  const { a, b, silence, heal } = await pair();
  await a.set('m0');
  const client = await StreamSocket.open(a.streamUrl);
  client.joinWithPositions('group', 'chat', 'room');
  const { epoch } = await client.take('sync');
  client.joinWithPositions('item', 'chat', 'room', { id: 'm1' });
  await client.take('sync', ({ id }) => id === 'm1');
  const plain = await StreamSocket.open(`${a.streamUrl}${PATH}`);
  await plain.take('sync');
  const view = viewer(a.streamUrl).subscribeGroup('chat', 'room');
  await view.whenLive();
  const statuses: string[] = [];
  view.on({ onStatus: (status) => void statuses.push(status) });
  silence();
  const first = await stale(client, 'group');
  await stale(client, 'item');
  // A client that joins meanwhile, at a position in the log, gets an answer and then `stale` too.
  const late = await StreamSocket.open(a.streamUrl);
  late.joinWithPositions('late', 'chat', 'room', { since: `${epoch}:1` });
  await late.takeControl('resumed');
  await stale(late, 'late');
  // A join that needs the store waits for it.
  const waiting = await StreamSocket.open(a.streamUrl);
  waiting.joinWithPositions('waiting', 'chat', 'elsewhere');
  for (let n = 1; n <= 3; n++) await b.set(`m${n}`);
  expect([statuses, view.status]).toEqual([['stale'], 'stale']);
  heal();
  const reached = await caughtUp(client, 'group');
  await caughtUp(client, 'item');
  await caughtUp(late, 'late');
  expect(reached.data).toEqual({ subscriptionId: 'group', epoch, offset: 4 });
  await waiting.take('sync');
  await b.set('m4');
  for (const each of [client, late, plain]) await each.take('create', ({ id }) => id === 'm4');
  const news = ['create m1', 'create m2', 'create m3'];
  expect(since(client, first)).toEqual(['stale item', ...news, 'caught_up group', 'caught_up item', 'create m4']);
  expect(since(late, late.inbox.all[0] as StreamFrame)).toEqual(['stale late', ...news, 'caught_up late', 'create m4']);
  expect(controls(waiting)).toEqual(['syncing waiting']);
  expect(since(plain, plain.inbox.all[0] as StreamFrame)).toEqual([...news, 'create m4']);
  expect([statuses, view.size]).toEqual([['stale', 'live'], 5]);
});

test('RV-17 what the log does not reach back to is caught up with by changes, and a Redis that begins anew by a sync', async () => {
  const own = await RedisServer.start();
  try {
    const prefix = `test-${randomUUID()}`;
    const between = await line(own);
    const a = await node(prefix, { url: between.url });
    const b = await node(prefix, { url: own.url });
    const client = await StreamSocket.open(a.streamUrl);
    client.joinWithPositions('s1', 'chat', 'room');
    await client.take('sync');
    between.silence();
    await stale(client, 's1');
    for (let n = 0; n < 200; n++) await b.set(`m${n % 3}`, { n });
    between.heal();
    expect(await client.takeControl('resumed')).toMatchObject({ mode: 'changes', from: 0, to: 200 });
    const end = await caughtUp(client, 's1');
    await b.set('m3');
    await client.take('create', ({ id }) => id === 'm3');
    await own.kill();
    await stale(client, 's1');
    await own.start();
    expect(await client.take('sync', ({ reason }) => reason === 'epoch')).toMatchObject({ ids: [] });
    for (const write of [() => a.worker, () => b.worker])
      await again(() => write().errorCode('stream::set', { ...ROOM, item_id: 'new', data: 1 }));
    await client.take('update', ({ id }) => id === 'new');
    // The `sync` ends the outage for this client, so no other control frame follows.
    expect(since(client, end)).toEqual(['create m3', 'stale s1', 'syncing s1', 'sync', 'create new', 'update new']);
  } finally {
    await own.dispose();
  }
});

/** Repeats a call until it succeeds, as a client does. Every failure must be STORE_UNAVAILABLE. */
async function again(call: () => Promise<unknown>): Promise<void> {
  for (let code = await call(); code !== undefined; code = await call()) expect(code).toBe('STORE_UNAVAILABLE');
}

test('F45 clients of an engine with a long outage are closed with 1013, spread, and go on at another; it takes none until it is back', async () => {
  const outage = { keepMs: 2_500, spreadMs: 2_000, refuseMs: 1_500 };
  const { a, b, silence, heal } = await pair({ outage });
  const strict = await balance([a.streamUrl]);
  const balanced = await balance([a.streamUrl, a.streamUrl, b.streamUrl]);
  const official = new Motia('stream-client-node 0.17.6', balanced).group('chat', 'room');
  const own = viewer(balanced).subscribeGroup<Item>('chat', 'room');
  await own.whenLive();
  await a.set('before');
  await official.until((items) => items.length === 1);
  const clients = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const client = await StreamSocket.open(strict);
      if (n % 2 === 0) client.join('s1', 'chat', 'room');
      else client.joinWithPositions('s1', 'chat', 'room');
      await client.take('sync');
      return client;
    }),
  );
  const lost = await StreamSocket.open(a.streamUrl);
  const idle = await StreamSocket.open(a.streamUrl);
  silence();
  await stale(clients[1] as StreamSocket, 's1');
  // Its group was never watched before the outage.
  lost.join('s1', 'chat', 'never');
  // outage-eviction.test.ts tests the times of the closes with an injected clock.
  for (const { closed } of [...clients, lost]) expect(await closed).toBe(1013);
  expect(a.log.filter(({ event }) => event === 'stream_clients_sent_away')).toHaveLength(1);
  expect(await (await StreamSocket.open(a.streamUrl)).closed).toBe(1013);
  await b.set('after');
  await official.until((items) => items.length === 2);
  await own.whenLive();
  heal();
  await viewer(strict).subscribeGroup('chat', 'room').whenLive();
  // The engine did not close the client without a subscription.
  idle.join('s1', 'chat', 'room');
  expect((await idle.take('sync')).event.data).toEqual([{ id: 'before' }, { id: 'after' }]);
  expect(own.items.map(({ id }) => id)).toEqual(['before', 'after']);
});

test('RV-41 an item whose client drops at one engine and joins at another is leased there, and ends when it leaves there', async () => {
  const { a, b } = await pair();
  // The client moves within the grace time, also on a busy machine.
  for (const each of [a, b]) await admit(each, { ann: 10_000 });
  const watcher = await StreamSocket.open(`${b.streamUrl}${PATH}`);
  await watcher.take('sync');
  const dropped = await enter(a, 'ann');
  await watcher.take('create', ({ id }) => id === 'ann');
  dropped.socket.terminate();
  await dropped.closed;
  const moved = await enter(b, 'ann');
  await watcher.take('update', ({ id }) => id === 'ann');
  // This item lives longer than the grace time that began at the other engine.
  await b.worker.result('stream::set', { ...ROOM, item_id: 'clock', data: 1, ttl_ms: 10_500 });
  await watcher.take('delete', ({ id }) => id === 'clock');
  expect(ids(watcher, 'delete')).toEqual(['clock']);
  moved.leave('ann', 'chat', 'room');
  await watcher.take('delete', ({ id }) => id === 'ann');
});

test('RV-41 F45 an engine that was taken for dead renews the leases of its clients, except those that another engine has', async () => {
  const { a, b, silence, heal } = await pair({ outage: { refuseMs: 1_000 }, authRejectMode: 'http' });
  for (const each of [a, b]) await admit(each, { stays: 20_000, returns: 300, moves: 20_000 });
  const watcher = await StreamSocket.open(`${b.streamUrl}${PATH}`);
  await watcher.take('sync');
  const held = ['stays', 'returns', 'moves'];
  for (const name of held) {
    await enter(a, name);
    await watcher.take('create', ({ id }) => id === name);
  }
  silence();
  await watcher.take('delete', ({ id }) => id === 'returns');
  expect(b.log.map(({ event }) => event)).toContain('redis_node_gone');
  const moved = await enter(b, 'moves');
  await watcher.take('update', ({ id }) => id === 'moves');
  expect(await refusalOf(a.streamUrl)).toEqual([503, '5']);
  heal();
  await watcher.take('create', ({ id }) => id === 'returns');
  await watcher.take('update', ({ id }) => id === 'stays');
  // This item lives longer than the grace time that had begun.
  await b.worker.result('stream::set', { ...ROOM, item_id: 'clock', data: 1, ttl_ms: 21_000 });
  await watcher.take('delete', ({ id }) => id === 'clock');
  expect(ids(watcher, 'delete')).toEqual(['returns', 'clock']);
  expect(ids(watcher, 'update')).toEqual(['moves', 'stays']);
  expect((await b.worker.result('stream::list', ROOM)) as unknown[]).toHaveLength(3);
  moved.leave('moves', 'chat', 'room');
  await watcher.take('delete', ({ id }) => id === 'moves');
});

/** Serves a join function. Each known subscription gets a leased item of its name. */
async function admit({ worker }: Node, graces: Readonly<Record<string, number>>): Promise<void> {
  await worker.serve('app::join', (event) => {
    const name = (event as { subscription_id: string }).subscription_id;
    const grace_ms = graces[name];
    return grace_ms === undefined ? {} : { lease: { item_id: name, data: { id: name }, grace_ms } };
  });
  await worker.bind('stream:join', 'app::join', {});
}

async function enter({ streamUrl }: Node, name: string): Promise<StreamSocket> {
  const client = await StreamSocket.open(streamUrl);
  client.joinWithPositions(name, 'chat', 'room');
  await client.take('sync');
  return client;
}

/** Resolves with the status of a refused upgrade and its `retry-after`, in seconds. */
function refusalOf(url: string): Promise<unknown> {
  const socket = new WebSocket(url);
  socket.on('error', () => {});
  onTestFinished(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.once('open', () => reject(new Error('it was taken')));
    socket.once('unexpected-response', (_request, { statusCode, headers }) => resolve([statusCode, headers['retry-after']]));
  });
}

const ids = (client: StreamSocket, type: string) => client.inbox.all.filter(({ event }) => event?.type === type).map(({ id }) => id);
