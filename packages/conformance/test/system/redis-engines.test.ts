import { randomUUID } from 'node:crypto';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { connectionsOf } from '@rivulet/testkit/measures/connections';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import {
  again,
  bound,
  changesOf,
  type Fired,
  type Node,
  numberOf,
  ROOM,
  ROOM_PATH,
  seenBy,
  startNode,
  startPair,
  type Where,
  watchRoom,
} from '@rivulet/testkit/redis/redis-nodes';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

const pair = (where: Where = server) => startPair(where);

const told = (frame: StreamFrame) => [frame.event.type, frame.id, frame.offset, frame.event.data ?? frame.event.event];

test('a change through one engine reaches the subscribers of the other, events and batches too', async () => {
  const [a, b] = await pair();
  const [here, there] = [await watchRoom(a), await watchRoom(b)];
  await a.set('m1', { id: 'm1', n: 1 });
  await b.set('m1', { id: 'm1', n: 2 });
  await a.worker.result('stream::send', { ...ROOM, type: 'typing', data: { who: 'ann' } });
  await b.worker.result('stream::batch', { ...ROOM, writes: ['m2', 'm3'].map((item_id) => ({ type: 'set', item_id, data: item_id })) });
  await a.worker.result('stream::delete', { ...ROOM, item_id: 'm1' });
  for (const client of [here, there]) {
    await client.take('delete');
    expect(changesOf(client).map((frame) => frame.event.type)).toEqual(['create', 'update', 'event', 'create', 'create', 'delete']);
    expect(changesOf(client).map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6]);
  }
  expect(changesOf(there).map(told)).toEqual(changesOf(here).map(told));
  expect(await b.worker.result('stream::list', ROOM)).toEqual(['m2', 'm3']);
});

test('two engines that write to one group at once show one order to all clients', async () => {
  const [a, b] = await pair();
  const clients = [await watchRoom(a), await watchRoom(b)];
  const writers = [a, b].map(async ({ worker }, writer) => {
    for (let round = 0; round < 25; round++) {
      const writes = Array.from({ length: 8 }, (_, n) =>
        worker.result('stream::set', { ...ROOM, item_id: `m${(round + n) % 10}`, data: { writer, round, n } }),
      );
      const count = { ...ROOM, item_id: 'count', ops: [{ type: 'increment', path: 'n', by: 1 }] };
      await Promise.all([...writes, worker.result('stream::update', count)]);
    }
  });
  await Promise.all(writers);
  const total = 2 * 25 * 9;
  for (const client of clients) {
    await client.take('update', ({ offset }) => offset === total);
    expect(changesOf(client).map(({ offset }) => offset)).toEqual(Array.from({ length: total }, (_, n) => n + 1));
  }
  const [here, there] = clients as [StreamSocket, StreamSocket];
  expect(changesOf(there).map(told)).toEqual(changesOf(here).map(told));
  expect(await a.worker.result('stream::get', { ...ROOM, item_id: 'count' })).toEqual({ n: 50 });
});

test('ST-17 a stream that a worker serves at both engines has one order for everybody, events too', async () => {
  const [a, b] = await pair();
  const items = new Map<string, unknown>();
  for (const { worker } of [a, b]) {
    await worker.serve('stream::get(notes)', (data) => items.get((data as { item_id: string }).item_id) ?? null);
    await worker.serve('stream::list(notes)', () => [...items.values()]);
    await worker.serve('stream::set(notes)', (given) => {
      const { item_id, data } = given as { item_id: string; data: unknown };
      const old_value = items.get(item_id) ?? null;
      items.set(item_id, data);
      return { old_value, new_value: data };
    });
  }
  const ref = { stream_name: 'notes', group_id: 'g' };
  const clients = await Promise.all([a, b].map(({ streamUrl }) => StreamSocket.open(`${streamUrl}/stream/notes/g`)));
  for (const client of clients) await client.take('sync');
  for (let n = 0; n < 20; n++) {
    const [here, there] = n % 2 === 0 ? [a, b] : [b, a];
    await Promise.all([
      here.worker.result('stream::set', { ...ref, item_id: `m${n % 3}`, data: { id: `m${n % 3}`, n } }),
      there.worker.result('stream::send', { ...ref, type: 'tick', data: n }),
    ]);
  }
  for (const client of clients) await client.take('update', ({ event }) => (event.data as { n?: number }).n === 19);
  // The events of the last round may arrive after its change.
  for (const client of clients) await client.take('event', ({ event }) => (event.event as { data?: number }).data === 19);
  const [here, there] = clients.map((client) => changesOf(client).map(told));
  expect(here).toHaveLength(40);
  expect(there).toEqual(here);
  const late = await StreamSocket.open(`${b.streamUrl}/stream/notes/g`);
  expect((await late.take('sync')).event.data).toEqual([...items.values()]);
});

test('F44 engines have no way to each other that could be cut: all that they connect to is the Redis', async () => {
  const adapter = `{ name: redis, config: { redis_url: "${server.url}", key_prefix: "test-${randomUUID()}" } }`;
  const [a, b] = [await EngineProcess.start({ adapter }), await EngineProcess.start({ adapter })];
  const clients = [await watchRoom(a), await watchRoom(b)];
  for (const [n, { workerUrl }] of [a, b].entries()) {
    const worker = await RawWorker.connect(workerUrl);
    await worker.result('stream::set', { ...ROOM, item_id: `m${n}`, data: { n } });
  }
  for (const client of clients) {
    await client.take('create', ({ offset }) => offset === 2);
    expect(changesOf(client).map(({ id }) => id)).toEqual(['m0', 'm1']);
  }
  for (const { pid, ports } of [a, b]) {
    const outgoing = connectionsOf(pid).filter(({ local }) => !Object.values(ports).includes(local));
    expect(new Set(outgoing.map(({ remote }) => remote))).toEqual(new Set([server.port]));
  }
});

test('RV-5 a client goes on at another engine from its position', async () => {
  const [a, b] = await pair();
  await a.set('m1');
  const { epoch, offset } = await (await StreamSocket.open(`${a.streamUrl}${ROOM_PATH}`)).take('sync');
  await a.stop();
  await b.set('m2');
  await b.set('m1', { id: 'm1', n: 2 });
  const client = await StreamSocket.open(`${b.streamUrl}${ROOM_PATH}?since=${encodeURIComponent(`${epoch}:${offset}`)}`);
  expect(await client.takeControl('resumed')).toMatchObject({ mode: 'changes', from: 1, to: 3 });
  await client.takeControl('caught_up');
  expect(changesOf(client).map(({ event, id, offset: at }) => [event.type, id, at])).toEqual([
    ['create', 'm2', 2],
    ['update', 'm1', 3],
  ]);
});

describe.each([
  ['of the stream', { stream_name: 'chat' }],
  ['of all streams', {}],
])('a trigger %s', (_which, config) => {
  test('fires once for each change, in order, at the engine that has its worker, whichever engine the change came through', async () => {
    const [a, b] = await pair();
    const events = await bound(b.worker, 'stream', config);
    const own = await bound(a.worker, 'stream', { stream_name: 'chat', item_id: 'm1' });
    // The engine follows a stream from the moment at which Redis confirms the subscription.
    await again(() => seenBy(events, a, b));
    const total = 40;
    for (let n = 0; n < total; n++) await (n % 2 === 0 ? a : b).set('m1', { n });
    await events.take((event) => numberOf(event) === total - 1, 'the last change');
    await own.take((event) => numberOf(event) === total - 1, 'the last change at the other engine');
    for (const inbox of [events, own]) {
      const numbers = inbox.all.filter(({ id }) => id === 'm1').map(numberOf);
      expect(numbers).toEqual(Array.from({ length: total }, (_, n) => n));
    }
  });
});

test('a trigger that is registered anew under its id goes on', async () => {
  const [a, b] = await pair();
  const events = new Inbox<Fired>();
  await b.worker.serve('app::fired', (data) => events.push(data as Fired));
  for (let n = 0; n < 5; n++) await b.worker.bind('stream', 'app::fired', { stream_name: 'chat' }, { id: 'one' });
  await again(async () => {
    await a.set('probe');
    return events.all.length > 0 ? undefined : 'STORE_UNAVAILABLE';
  });
  // Each registration ends the subscription of the pattern and makes it again. The first event may arrive before the last of these
  // commands.
  await expect.poll(() => server.command('PUBSUB', 'NUMPAT')).toBe('1');
});

test('databases of one server get no messages of each other', async () => {
  const prefix = `test-${randomUUID()}`;
  const [zero, one] = [await startNode(server, prefix), await startNode({ url: `${server.url}/1` }, prefix)];
  const client = await watchRoom(zero);
  await one.set('other');
  await zero.set('own');
  expect((await client.take('create')).id).toBe('own');
  expect(changesOf(client)).toHaveLength(1);
});

test('a state trigger fires once for each change, whichever engine it came through', async () => {
  const [a, b] = await pair();
  const events = await bound(b.worker, 'state', { scope: 'orders' });
  const set = ({ worker }: Node, value: unknown) => worker.result('state::set', { scope: 'orders', key: 'o1', value });
  await again(async () => {
    await set(a, -1);
    return events.all.length > 0 ? undefined : 'STORE_UNAVAILABLE';
  });
  for (let n = 0; n < 20; n++) await set(n % 2 === 0 ? a : b, n);
  await events.take(({ new_value }) => new_value === 19, 'the last change');
  const values = events.all.map(({ new_value }) => new_value).filter((value) => value !== -1);
  expect(values).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('RV-40 RV-41 leased items of a killed engine end within their grace, items with a time to live in their time, each once', async () => {
  const prefix = `test-${randomUUID()}`;
  const adapter = `{ name: redis, config: { redis_url: "${server.url}", key_prefix: "${prefix}:streams" } }`;
  const doomed = await EngineProcess.start({ adapter });
  const watcher = await watchRoom(await startNode(server, prefix));
  const worker = await RawWorker.connect(doomed.workerUrl);
  await worker.serve('app::join', () => ({ lease: { item_id: 'ann', data: { id: 'ann' }, grace_ms: 1_500 } }));
  await worker.bind('stream:join', 'app::join', {});
  await StreamSocket.open(`${doomed.streamUrl}${ROOM_PATH}`);
  await worker.result('stream::set', { ...ROOM, item_id: 'soon', data: { id: 'soon' }, ttl_ms: 2_000 });
  await watcher.take('create', ({ id }) => id === 'ann');
  await watcher.take('create', ({ id }) => id === 'soon');
  const begun = performance.now();
  await doomed.kill();
  await watcher.take('delete', ({ id }) => id === 'soon');
  await watcher.take('delete', ({ id }) => id === 'ann');
  const took = performance.now() - begun;
  expect(took).toBeGreaterThan(1_500);
  const deletes = changesOf(watcher).filter(({ event }) => event.type === 'delete');
  expect(deletes.map(({ id }) => id)).toEqual(['soon', 'ann']);
});

test('F42 a Redis without memory refuses writes with STORE_FULL, reads on, and takes writes again when it has some', async () => {
  const own = await RedisServer.start(['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']);
  try {
    const [a] = await pair(own);
    await a.set('kept', { id: 'kept' });
    own.command('CONFIG', 'SET', 'maxmemory', '1mb');
    expect(await a.trySet('more', 'x'.repeat(10_000))).toBe('STORE_FULL');
    expect(await a.worker.result('stream::list', ROOM)).toEqual([{ id: 'kept' }]);
    const empty = await StreamSocket.open(`${a.streamUrl}/stream/chat/never-written`);
    expect((await empty.take('sync')).event.data).toEqual([]);
    own.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(await a.trySet('more')).toBeUndefined();
  } finally {
    await own.dispose();
  }
});

test('F42 an engine does not start on a Redis that evicts items', async () => {
  const own = await RedisServer.start(['--save', '', '--appendonly', 'no', '--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru']);
  try {
    await expect(pair(own)).rejects.toThrow(/maxmemory-policy.*noeviction/);
  } finally {
    await own.dispose();
  }
});

test.each([
  ['lost everything since its last save', ['--save', '', '--appendonly', 'yes', '--appendfsync', 'no'], ['sync', 'epoch', 'create']],
  ['stores every write on its disk', ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'], ['sync', 'create']],
])('F38 a killed Redis that %s', async (_what, options, shown) => {
  const own = await RedisServer.start(options);
  try {
    const [a, b] = await pair(own);
    const client = await StreamSocket.open(b.streamUrl);
    client.joinWithPositions('s1', 'chat', 'room');
    await client.take('sync');
    for (let n = 0; n < 20; n++) await a.set(`m${n % 3}`, { n });
    await client.take('update', ({ offset }) => offset === 20);
    await own.kill();
    await own.start();
    await again(() => a.trySet('after'));
    await a.set('last');
    await client.take('create', ({ id }) => id === 'last');
    const frames = client.inbox.all.filter(({ event, offset = 0 }) => event?.type === 'sync' || offset > 21);
    expect(frames.filter(({ event }) => event !== undefined).map(({ event, reason }) => reason ?? event.type)).toEqual(shown);
  } finally {
    await own.dispose();
  }
});

test.each([
  ['that keep nothing', ['--save', '', '--appendonly', 'no']],
  ['that write everything through', ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']],
])('F40 after a failover of servers %s the engines go on at the new primary with another history', async (_which, options) => {
  const primary = await RedisServer.start(options);
  const replica = await RedisServer.start([...options, '--replicaof', '127.0.0.1', String(primary.port)]);
  const sentinels = [await RedisServer.startSentinel(primary, 'main', 1)];
  try {
    const prefix = `test-${randomUUID()}`;
    const nodes = sentinels.map(({ port }) => `127.0.0.1:${port}`);
    const where = { url: 'redis://nowhere', servers: { kind: 'sentinels', nodes, name: 'main' } } as const;
    const [a, b] = [await startNode(where, prefix), await startNode(where, prefix)];
    const client = await StreamSocket.open(b.streamUrl);
    client.joinWithPositions('s1', 'chat', 'room');
    await client.take('sync');
    await again(() => a.trySet('kept'));
    primary.command('WAIT', '1', '5000');
    // The replica is disconnected and paused, so that it does not return: the next write is acknowledged and lost.
    replica.pause();
    primary.command('CLIENT', 'KILL', 'TYPE', 'replica');
    await a.set('lost');
    await client.take('create', ({ id }) => id === 'lost');
    await primary.kill();
    replica.resume();
    await again(() => a.trySet('after'));
    expect(await client.take('sync', ({ reason }) => reason === 'epoch')).not.toMatchObject({ ids: ['kept', 'lost'] });
    await a.set('last');
    await client.take('create', ({ id }) => id === 'last');
    expect(await b.worker.result('stream::list', ROOM)).toEqual([{ id: 'kept' }, { id: 'after' }, { id: 'last' }]);
  } finally {
    for (const each of [...sentinels, replica, primary]) await each.dispose();
  }
});

test('a function of a worker at another engine is not found, and the answer says where to connect it', async () => {
  const [a, b] = await pair();
  await a.worker.serve('app::only-here', () => 'here');
  expect(await a.worker.result('app::only-here', null)).toBe('here');
  const { error } = await b.worker.call('app::only-here', null);
  expect(error).toMatchObject({ code: 'function_not_found', message: expect.stringContaining('connected to this engine') });
});

test('an engine gets messages of the groups that it serves, and of no other', async () => {
  const [a, b] = await pair();
  const prefix = `sub-${randomUUID().slice(0, 8)}`;
  const watched = ['g3', 'g7'];
  for (const group of watched) await (await StreamSocket.open(`${b.streamUrl}/stream/${prefix}/${group}`)).take('sync');
  const set = (n: number) => a.worker.result('stream::set', { stream_name: prefix, group_id: `g${n % 50}`, item_id: 'm', data: n });
  await Promise.all(Array.from({ length: 500 }, (_, n) => set(n)));
  const channels = server.command('PUBSUB', 'CHANNELS', `*:commits:${prefix}:*`).split('\n');
  expect(new Set(channels.map((channel) => channel.split(':').at(-1)))).toEqual(new Set(watched));
  expect(server.command('PUBSUB', 'NUMPAT')).toBe('0');
});

test('groups of a stream are listed page by page, each once, in order', async () => {
  const prefix = `test-${randomUUID()}`;
  const one = await startNode(server, prefix);
  await one.set('m1');
  const many = Array.from({ length: 5_000 }, (_, n) => `g${n}`);
  for (let at = 0; at < many.length; at += 1_000) {
    server.command('SADD', `${prefix}:streams:{7}:groups:chat`, ...many.slice(at, at + 1_000));
    server.command('SADD', `${prefix}:streams:{8}:groups:chat`, ...many.slice(at, at + 1_000));
  }
  expect(await one.worker.result('stream::list_groups', { stream_name: 'chat' })).toEqual([...many, 'room'].sort());
});

test('a message of Redis arrives at each engine once, for any number of watchers there', async () => {
  const [a, b] = await pair();
  const group_id = `many-${randomUUID()}`;
  const open = ({ streamUrl }: Node) => StreamSocket.open(`${streamUrl}/stream/chat/${group_id}`);
  const clients = await Promise.all(Array.from({ length: 10 }, (_, n) => open(n % 2 === 0 ? a : b)));
  for (const client of clients) await client.take('sync');
  const [channel = ''] = server.command('PUBSUB', 'CHANNELS', `*:commits:chat:${group_id}`).split('\n');
  expect(server.command('PUBSUB', 'NUMSUB', channel).split('\n')[1]).toBe('2');
  await a.worker.result('stream::set', { ...ROOM, group_id, item_id: 'm1', data: 1 });
  for (const client of clients) await client.take('create');
});

test('F41 a subscription that the server has dropped is made again, and nothing is passed over', async () => {
  const [a, b] = await pair();
  const client = await watchRoom(b);
  await a.set('m0');
  await client.take('create');
  server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  for (let n = 1; n <= 20; n++) await again(() => a.trySet('m0', { n }));
  await client.take('update', ({ event }) => (event.data as { n?: number }).n === 20);
  const offsets = changesOf(client).map(({ offset }) => offset);
  expect(offsets).toEqual(Array.from({ length: offsets.length }, (_, n) => n + 1));
});

test('F37 a Redis that comes back empty begins another history: no client keeps a lost item', async () => {
  const own = await RedisServer.start();
  try {
    const [a, b] = await pair(own);
    const client = await StreamSocket.open(b.streamUrl);
    client.joinWithPositions('s1', 'chat', 'room');
    const first = await client.take('sync');
    await a.set('ghost');
    await client.take('create');
    await own.kill();
    await own.start();
    const second = await client.take('sync');
    expect([second.reason, second.ids]).toEqual(['epoch', []]);
    expect(second.epoch).not.toBe(first.epoch);
    await again(() => a.trySet('new'));
    expect((await client.take('create')).id).toBe('new');
    expect(await b.worker.result('stream::list', ROOM)).toEqual([{ id: 'new' }]);
  } finally {
    await own.dispose();
  }
});

test('F39 while Redis is paused, calls fail within their time, and it is used again afterwards', async () => {
  const own = await RedisServer.start();
  try {
    const [a, b] = await pair(own);
    const client = await watchRoom(b);
    await a.set('before');
    await client.take('create');
    own.pause();
    expect(await a.trySet('meanwhile')).toBe('STORE_UNAVAILABLE');
    expect(await a.trySet('at once')).toBe('STORE_UNAVAILABLE');
    own.resume();
    await again(() => a.trySet('after'));
    await client.take('create', ({ id }) => id === 'after');
  } finally {
    await own.dispose();
  }
});
