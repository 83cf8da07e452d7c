import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, test } from 'vitest';

const ROOM = { stream_name: 'chat', group_id: 'room' };

async function writing(workerUrl: string) {
  const worker = await RawWorker.connect(workerUrl);
  return {
    worker,
    set: (item_id: string, data: unknown = { id: item_id }) => worker.result('stream::set', { ...ROOM, item_id, data }),
    remove: (item_id: string) => worker.result('stream::delete', { ...ROOM, item_id }),
    send: (type: string, id?: string) => worker.result('stream::send', { ...ROOM, type, data: null, ...(id === undefined ? {} : { id }) }),
  };
}

async function start(options: TestEngineOptions = {}) {
  const engine = await startTestEngine(options);
  return { ...engine, ...(await writing(engine.workerUrl)) };
}

/** Joins with a position. Returns all frames until the engine sends no more. */
async function resume(streamUrl: string, since: string, id?: string): Promise<StreamSocket> {
  const client = await StreamSocket.open(streamUrl);
  client.joinWithPositions('s1', 'chat', 'room', { since, ...(id === undefined ? {} : { id }) });
  return client;
}

function positionOf({ epoch, offset }: StreamFrame): string {
  return `${epoch}:${offset}`;
}

/** Returns a short text for a frame. */
function told(frame: StreamFrame): unknown {
  if (frame.event === undefined) return [frame.type, frame.data];
  return frame.event.type === 'event' ? ['event', frame.event.event?.type, frame.offset] : [frame.event.type, frame.id, frame.offset];
}

/** Returns the position of a client that has the group with three items at offset 3. */
async function seen(streamUrl: string): Promise<string> {
  const client = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
  const sync = await client.take('sync');
  await client.close();
  return positionOf(sync);
}

describe.each([{ lmdb: false }, { lmdb: true }])('positions and resume (lmdb: $lmdb)', ({ lmdb }) => {
  test('RV-1 RV-2 a sync names its items, their creation, offset and epoch, also to clients that did not ask; frames go on from there', async () => {
    const { set, remove, send, streamUrl } = await start({ lmdb });
    await set('a');
    await set('b');
    await set('a', { id: 'a', n: 2 });
    const client = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
    const sync = await client.take('sync');
    expect([sync.ids, sync.created, sync.offset, sync.event.data]).toEqual([['a', 'b'], [1, 2], 3, [{ id: 'a', n: 2 }, { id: 'b' }]]);
    expect(typeof sync.epoch).toBe('string');
    await set('c');
    await send('typing');
    await remove('b');
    await client.take('delete');
    expect(client.inbox.all.slice(1).map(told)).toEqual([
      ['create', 'c', 4],
      ['event', 'typing', 5],
      ['delete', 'b', 6],
    ]);
    const item = await StreamSocket.open(`${streamUrl}/stream/chat/room/a`);
    expect(await item.take('sync')).toMatchObject({ id: 'a', created: 1, offset: 6, epoch: sync.epoch });
    const missing = await StreamSocket.open(`${streamUrl}/stream/chat/room/zz`);
    expect((await missing.take('sync')).created).toBeUndefined();
  });

  test('RV-5 RV-6 what was missed comes in full while the log holds it, events too, then live frames', async () => {
    const { set, remove, send, streamUrl } = await start({ lmdb });
    await set('a');
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
    const since = positionOf(await watcher.take('sync'));
    await set('b');
    await send('typing');
    await set('a', { id: 'a', n: 2 });
    await remove('b');
    const client = await resume(streamUrl, since);
    const epoch = since.slice(0, since.lastIndexOf(':'));
    expect(await client.takeControl('resumed')).toEqual({ subscriptionId: 's1', mode: 'tail', epoch, from: 1, to: 5 });
    await set('c');
    await client.take('create', (frame) => frame.id === 'c');
    expect(client.inbox.all.slice(1).map(told)).toEqual([
      ['create', 'b', 2],
      ['event', 'typing', 3],
      ['update', 'a', 4],
      ['delete', 'b', 5],
      ['create', 'c', 6],
    ]);
  });

  test('RV-7 RV-9 below the log each changed item comes once, with its creation, deletes too, and lost events are announced', async () => {
    const { set, remove, send, streamUrl } = await start({ lmdb, stream: { logMaxChanges: 1 } });
    await set('a');
    await set('b');
    await set('c');
    // This watcher keeps the log alive, so the engine knows which events were lost.
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
    const since = positionOf(await watcher.take('sync'));
    await set('d');
    await set('a', { id: 'a', n: 2 });
    await send('typing');
    await remove('b');
    await set('a', { id: 'a', n: 3 });
    await set('x');
    await remove('x');
    const client = await resume(streamUrl, since);
    const epoch = since.slice(0, since.lastIndexOf(':'));
    await client.takeControl('caught_up');
    expect(client.inbox.all.map(told)).toEqual([
      ['resumed', { subscriptionId: 's1', mode: 'changes', epoch, from: 3, to: 10 }],
      ['create', 'd', 4],
      ['delete', 'b', 7],
      ['update', 'a', 8],
      ['delete', 'x', 10],
      ['gap', { subscriptionId: 's1', after: 3, through: 10, count: 1 }],
      ['caught_up', { subscriptionId: 's1', epoch, offset: 10 }],
    ]);
    const frames = client.inbox.all.filter((frame) => frame.event !== undefined);
    expect(frames.map((frame) => frame.created)).toEqual([4, 2, 1, 9]);
    expect(frames.map((frame) => frame.event.data)).toEqual([{ id: 'd' }, { id: 'b' }, { id: 'a', n: 3 }, { id: 'x' }]);
    await set('e');
    expect((await client.take('create', (frame) => frame.id === 'e')).offset).toBe(11);
  });

  test('RV-7 an item gets its newest value alone, or its delete', async () => {
    const { set, remove, streamUrl } = await start({ lmdb, stream: { logMaxChanges: 1 } });
    await set('a');
    await set('b');
    const since = await seen(streamUrl);
    await set('a', { id: 'a', n: 2 });
    await set('a', { id: 'a', n: 3 });
    await remove('b');
    await set('c');
    const changed = await resume(streamUrl, since, 'a');
    await changed.takeControl('caught_up');
    expect(changed.inbox.all.filter((frame) => frame.event !== undefined).map(told)).toEqual([['update', 'a', 4]]);
    const gone = await resume(streamUrl, since, 'b');
    await gone.takeControl('caught_up');
    expect(gone.inbox.all.filter((frame) => frame.event !== undefined).map((frame) => [frame.event.type, frame.id])).toEqual([
      ['delete', 'b'],
    ]);
    const same = await resume(streamUrl, (await seen(streamUrl)).replace(/\d+$/, '6'), 'a');
    expect(await same.takeControl('resumed')).toMatchObject({ from: 6, to: 6 });
  });

  test.each([
    ['another-epoch:1', 'epoch'],
    ['nonsense', 'malformed'],
    ['', 'malformed'],
  ])('RV-8 %j is answered with a sync that says why: %s', async (since, reason) => {
    const { set, streamUrl } = await start({ lmdb });
    await set('a');
    const client = await resume(streamUrl, since);
    expect(await client.take('sync')).toMatchObject({ reason, ids: ['a'], offset: 1 });
    expect(client.inbox.all).toHaveLength(2);
  });

  test('RV-8 a position beyond the head is answered with a sync that says so', async () => {
    const { set, streamUrl } = await start({ lmdb });
    await set('a');
    const since = (await seen(streamUrl)).replace(/\d+$/, '77');
    expect(await (await resume(streamUrl, since)).take('sync')).toMatchObject({ reason: 'ahead', offset: 1 });
    expect(await (await resume(streamUrl, since, 'a')).take('sync')).toMatchObject({ reason: 'ahead', id: 'a' });
  });

  test('RV-4 the path form takes the position as query', async () => {
    const { set, streamUrl } = await start({ lmdb });
    await set('a');
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
    const since = positionOf(await watcher.take('sync'));
    await set('b');
    const client = await StreamSocket.open(`${streamUrl}/stream/chat/room?since=${encodeURIComponent(since)}`);
    expect(await client.takeControl('resumed')).toMatchObject({ mode: 'tail', from: 1, to: 2 });
    expect(await client.take('create')).toMatchObject({ id: 'b', offset: 2 });
    const fresh = await StreamSocket.open(`${streamUrl}/stream/chat/room?positions=1`);
    expect((await fresh.take('sync')).reason).toBeUndefined();
  });

  test('RV-6 a second join of a group that the socket watches gets what it missed, and nothing is lost for the first', async () => {
    const { set, streamUrl } = await start({ lmdb });
    await set('a');
    const client = await StreamSocket.open(streamUrl);
    client.joinWithPositions('item', 'chat', 'room', { id: 'a' });
    const since = positionOf(await client.take('sync'));
    await set('b');
    await set('a', { id: 'a', n: 2 });
    client.joinWithPositions('group', 'chat', 'room', { since });
    expect(await client.takeControl('resumed')).toMatchObject({ subscriptionId: 'group', mode: 'tail', from: 1, to: 3 });
    await set('a', { id: 'a', n: 3 });
    await client.take('update', (frame) => frame.offset === 4);
    expect(client.inbox.all.filter((frame) => frame.event !== undefined).map(told)).toEqual([
      ['sync', 'a', 1],
      ['update', 'a', 3],
      ['create', 'b', 2],
      ['update', 'a', 3],
      ['update', 'a', 4],
    ]);
  });

  test('RV-11 RV-12 a large sync comes in parts to those who know positions, in one message to others; live frames follow either', async () => {
    const { set, streamUrl } = await start({ lmdb });
    const text = 'x'.repeat(1_000);
    const writes = Array.from({ length: 300 }, (_, n) => set(`i${n}`, { id: `i${n}`, text }));
    await Promise.all([...writes, set('last')]);
    const client = await StreamSocket.open(streamUrl);
    client.joinWithPositions('s1', 'chat', 'room');
    const plain = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
    await client.take('sync', (frame) => frame.last === true);
    await set('live');
    await client.take('create');
    const [named, ...all] = client.inbox.all;
    const parts = all.slice(0, -1);
    expect(named).toEqual({ type: 'syncing', data: { subscriptionId: 's1' } });
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.map((frame) => [frame.part, frame.last, frame.offset])).toEqual(parts.map((_, n) => [n, n === parts.length - 1, 301]));
    const ids = [...Array.from({ length: 300 }, (_, n) => `i${n}`), 'last'];
    expect(parts.flatMap((frame) => frame.ids ?? [])).toEqual(ids);
    expect(parts.flatMap((frame) => (frame.event.data as { id: string }[]).map(({ id }) => id))).toEqual(ids);
    expect(parts.flatMap((frame) => frame.created)).toEqual(Array.from({ length: 301 }, (_, n) => n + 1));
    const whole = await plain.take('sync');
    await plain.take('create');
    expect((whole.event.data as unknown[]).length).toBe(301);
    expect([whole.ids, whole.part, whole.offset]).toEqual([undefined, undefined, 301]);
  });

  test('RV-10 a reader of positions that fell behind the log gets each changed item once, and its lag is reported meanwhile', async () => {
    const { worker, set, streamUrl, engine } = await start({ lmdb, stream: { logMaxChanges: 4 } });
    await set('a');
    const client = await StreamSocket.open(streamUrl);
    client.joinWithPositions('s1', 'chat', 'room');
    await client.take('sync');
    client.socket.pause();
    const text = 'x'.repeat(150_000);
    // The kernel takes about 10 MB of the 24. The engine may read the store while some changes are still to come.
    const [items, changes] = [20, 160];
    const writes: Promise<unknown>[] = [];
    for (let n = 1; n <= changes; n++) writes.push(set(`i${n % items}`, { id: `i${n % items}`, n, text }));
    await Promise.all(writes);
    await set('b');
    const rows = async () => {
      const { sessions } = (await worker.result('engine::stream-sessions::list', {})) as { sessions: { lag: number }[] };
      return sessions.map(({ lag }) => lag);
    };
    await expect.poll(rows).toEqual([expect.toSatisfy((lag: number) => lag > 4)]);
    client.socket.resume();
    await client.take('create', (frame) => frame.id === 'b');
    await client.takeControl('caught_up');
    await set('c');
    await client.take('create', (frame) => frame.id === 'c');
    await expect.poll(rows).toEqual([0]);
    expect(engine.figures()).toMatchObject({ resynced: 0, compacted: expect.toSatisfy((count: number) => count >= 1) });
    const offsets = client.inbox.all.filter((frame) => frame.event !== undefined).map((frame) => frame.offset as number);
    expect(offsets).toEqual([...offsets].sort((one, other) => one - other));
    expect(offsets.at(-1)).toBe(changes + 3);
    expect(offsets.length).toBeLessThan(changes);
    const newest = new Map(client.inbox.all.map((frame) => [frame.id, (frame.event?.data as { n?: number } | undefined)?.n]));
    for (let n = changes - items + 1; n <= changes; n++) expect(newest.get(`i${n % items}`)).toBe(n);
  });

  test('RV-13 a position-aware client gets an error for each join that is refused', async () => {
    const { worker, streamUrl } = await start({ lmdb, stream: { maxSubscriptionsPerConnection: 1 } });
    await worker.serve('app::admit', (event) => ({ unauthorized: (event as { group_id: string }).group_id === 'secret' }));
    await worker.bind('stream:join', 'app::admit', {});
    const client = await StreamSocket.open(streamUrl);
    client.joinWithPositions('s1', 'chat', 'secret');
    expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's1', code: 'FORBIDDEN' });
    await client.take('unauthorized');
    client.joinWithPositions('s2', 'chat', 'x'.repeat(LIMITS.idBytes + 1));
    expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's2', code: 'INVALID_ID' });
    client.joinWithPositions('s3', 'chat', 'room');
    await client.take('sync');
    client.joinWithPositions('s4', 'chat', 'other');
    expect(await client.takeControl('error')).toMatchObject({ subscriptionId: 's4', code: 'TOO_MANY_SUBSCRIPTIONS' });
  });
});

test('RV-8 a custom backend can not tell what changed: a sync says so when the log does not reach back', async () => {
  const { worker, send, streamUrl } = await start({ stream: { logMaxChanges: 1 } });
  await worker.serve('stream::list(chat)', () => [{ id: 'a' }, { id: 'b' }]);
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
  const sync = await watcher.take('sync');
  expect(sync.ids).toEqual(['a', 'b']);
  await send('one');
  await send('two');
  expect(await (await resume(streamUrl, positionOf(sync))).take('sync')).toMatchObject({ reason: 'backend', ids: ['a', 'b'] });
  const close = await resume(streamUrl, `${sync.epoch}:${(sync.offset ?? 0) + 1}`);
  expect(await close.takeControl('resumed')).toMatchObject({ mode: 'tail' });
});

test.each([{ how: 'kill' }, { how: 'stop' }] as const)(
  'RV-5 RV-7 after a $how of the engine a client resumes by what changed, without a sync, in the same epoch',
  async ({ how }) => {
    const engine = await EngineProcess.start();
    const before = await writing(engine.workerUrl);
    for (const item of ['a', 'b', 'c']) await before.set(item);
    const since = await seen(engine.streamUrl);
    await before.send('typing');
    await before.set('b', { id: 'b', n: 2 });
    await before.remove('c');
    await (how === 'kill' ? engine.kill() : engine.stop());
    await engine.start();
    const after = await writing(engine.workerUrl);
    await after.set('d');
    const client = await resume(engine.streamUrl, since);
    const { to } = (await client.takeControl('resumed')) as { to: number };
    await client.takeControl('caught_up');
    const epoch = since.slice(0, since.lastIndexOf(':'));
    expect(client.inbox.all.map(told)).toEqual([
      ['resumed', { subscriptionId: 's1', mode: 'changes', epoch, from: 3, to }],
      ['update', 'b', 5],
      ['delete', 'c', 6],
      ['create', 'd', to],
      // After a restart the engine does not know whether there were events.
      ['gap', { subscriptionId: 's1', after: 3, through: to }],
      ['caught_up', { subscriptionId: 's1', epoch, offset: to }],
    ]);
    await after.set('e');
    expect((await client.take('create', (frame) => frame.id === 'e')).offset).toBe(to + 1);
  },
);

describe('a token that ends', () => {
  async function guarded(expiresIn: (token: string) => number | undefined) {
    const started = await start({ stream: { authFunction: 'app::auth' } });
    const asked: string[] = [];
    await started.worker.serve('app::auth', (input) => {
      const [token = ''] = (input as { query_params: { token?: string[] } }).query_params.token ?? [];
      asked.push(token);
      if (token === 'bad') return { unauthorized: true };
      const left = expiresIn(token);
      return { context: { token }, ...(left === undefined ? {} : { expires_at_ms: Date.now() + left }) };
    });
    return { ...started, asked };
  }

  test('RV-14 RV-15 is announced, and a fresh one is taken in band: the subscription goes on', async () => {
    const { set, streamUrl, asked } = await guarded((token) => (token === 'short' ? 1_200 : undefined));
    const client = await StreamSocket.open(`${streamUrl}/stream/chat/room?token=short&positions=1`);
    await client.take('sync');
    expect(await client.takeControl('expiring')).toEqual({ expiresAtMs: expect.any(Number) });
    client.send({ type: 'refresh', data: { token: 'long+/=&x' } });
    expect(await client.takeControl('refreshed')).toEqual({ expiresAtMs: null });
    expect(asked).toEqual(['short', 'long+/=&x']);
    await expect
      .poll(
        async () => {
          await set('a');
          return client.socket.readyState;
        },
        { interval: 1_000 },
      )
      .toBe(1);
    await client.take('create');
  });

  test('RV-15 closes the connection within a second of its end', async () => {
    const { streamUrl } = await guarded(() => 700);
    const opened = performance.now();
    const client = await StreamSocket.open(`${streamUrl}/stream/chat/room?token=short`);
    expect(await client.closed).toBe(1008);
    expect(performance.now() - opened).toBeGreaterThan(650);
  });

  test('RV-14 a refresh that is denied closes the connection', async () => {
    const { streamUrl } = await guarded(() => undefined);
    const client = await StreamSocket.open(`${streamUrl}/stream/chat/room?token=ok`);
    client.send({ type: 'refresh', data: { token: 'bad' } });
    expect(await client.closed).toBe(1008);
  });

  test('RV-15 a time that is past or no time lets nobody in', async () => {
    for (const left of [-1, 0.5, Number.MAX_VALUE]) {
      const { streamUrl } = await guarded(() => left);
      const client = await StreamSocket.open(`${streamUrl}/stream/chat/room?token=x`);
      expect(await client.closed).toBe(1008);
      expect(client.inbox.all).toEqual([]);
    }
  });
});
