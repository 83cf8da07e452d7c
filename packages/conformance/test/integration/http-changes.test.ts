import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  const room = `${started.streamUrl.replace('ws:', 'http:')}/stream/chat/room-1`;
  const of = { stream_name: 'chat', group_id: 'room-1' };
  const set = (item_id: string, data: unknown) => worker.call('stream::set', { ...of, item_id, data });
  return { ...started, worker, room, of, set };
}

interface Changes {
  readonly position: string | null;
  readonly mode: string;
  readonly reason?: string;
  readonly changes: readonly {
    readonly type: string;
    readonly event: { readonly type: string; readonly data: unknown };
    readonly id: string;
    readonly offset: number;
  }[];
}

async function get(url: string): Promise<Changes> {
  return (await (await fetch(url)).json()) as Changes;
}

async function positionOf(room: string): Promise<string> {
  return ((await (await fetch(room)).json()) as { readonly position: string }).position;
}

const shown = ({ changes }: Changes) => changes.map(({ event, id, type }) => (type === 'stream' ? `${event.type} ${id}` : type));

test('RV-52 since returns the frames that a WebSocket with positions gets, and the position that they lead to', async () => {
  const { room, set, streamUrl } = await start();
  await set('a', 1);
  const since = await positionOf(room);
  const socket = await StreamSocket.open(`${streamUrl}/stream/chat/room-1?positions=1`);
  await socket.take('sync');
  await set('b', { x: 2 });
  await set('a', 3);
  const got = await get(`${room}?since=${since}`);
  expect(got).toMatchObject({ mode: 'tail', position: since.replace(/1$/, '3') });
  expect(shown(got)).toEqual(['create b', 'update a']);
  expect(got.changes).toEqual([await socket.take('create'), await socket.take('update')]);
  const nothing = await fetch(`${room}?since=${got.position}`);
  expect(nothing.headers.get('cache-control')).toBe('no-store');
  expect(await nothing.json()).toEqual({ position: got.position, mode: 'tail', changes: [] });
});

test('RV-52 a position before the log gets each changed item once; one that means nothing gets a sync with its reason', async () => {
  const { room, set, worker, of } = await start({ stream: { logMaxChanges: 1 } });
  await set('a', 1);
  const since = await positionOf(room);
  for (const value of [1, 2, 3]) await set('b', value);
  await worker.call('stream::delete', { ...of, item_id: 'a' });
  const got = await get(`${room}?since=${since}`);
  expect([got.mode, shown(got)]).toEqual(['changes', ['create b', 'delete a', 'gap']]);
  expect(got.position).toBe(since.replace(/1$/, '5'));
  const cases = [
    ['x:1', 'epoch'],
    ['nonsense', 'malformed'],
    [since.replace(/1$/, '99'), 'ahead'],
  ] as const;
  for (const [position, reason] of cases) {
    const response = await fetch(`${room}?since=${position}&wait=30`);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const sync = (await response.json()) as Changes;
    expect(sync).toMatchObject({ mode: 'sync', reason, position: got.position, changes: [{ event: { type: 'sync', data: [3] } }] });
  }
});

test('RV-52 wait returns with the next change, and with all changes of its batch', async () => {
  const { room, set, worker, of } = await start();
  await set('a', 1);
  const since = await positionOf(room);
  const waits = Array.from({ length: 20 }, () => get(`${room}?since=${since}&wait=30`));
  const item = get(`${room}/b?since=${since}&wait=30`);
  const none = fetch(`${room}/c?since=${since}&wait=1`);
  await expect.poll(async () => (await worker.call('engine::stream-sessions::list', {})) !== undefined).toBe(true);
  await worker.call('stream::batch', {
    ...of,
    writes: ['b', 'd'].map((item_id) => ({ type: 'set', item_id, data: 2 })),
  });
  const first = await waits[0];
  expect([first?.mode, first?.position, shown(first as Changes)]).toEqual(['tail', since.replace(/1$/, '3'), ['create b', 'create d']]);
  for (const wait of waits) expect(await wait).toEqual(first);
  expect(shown(await item)).toEqual(['create b']);
  const late = await none;
  expect([late.status, late.headers.get('cache-control')]).toEqual([200, 'no-store']);
  // nginx keeps it for the other requests that waited.
  expect([late.headers.get('x-accel-expires'), (await fetch(`${room}/c?since=${since}`)).headers.get('x-accel-expires')]).toEqual([
    '1',
    null,
  ]);
  expect(await late.json()).toEqual({ position: since.replace(/1$/, '3'), mode: 'tail', changes: [] });
});

test('RV-55 caches may keep changes, but no answer without changes and no sync', async () => {
  const { room, set } = await start();
  const since = await positionOf(room);
  await set('a', 1);
  expect((await fetch(`${room}?since=${since}`)).headers.get('cache-control')).toBe('public, s-maxage=10');
  expect((await fetch(`${room}?since=${since}&token=x`)).headers.get('cache-control')).toBe('private, no-store');
  const idle = await fetch(`${room}?since=${await positionOf(room)}&wait=1&token=x`);
  expect([idle.headers.get('cache-control'), idle.headers.get('x-accel-expires')]).toEqual(['private, no-store', null]);
});

test('RV-52 an answer that is too large for memory is streamed, whole and in order', async () => {
  const { room, set } = await start();

  const since = await positionOf(room);
  const large = 'ü'.repeat(100_000);
  for (let index = 0; index < 30; index++) await set(`i${index}`, large);
  const tail = await get(`${room}?since=${since}`);
  expect(tail.changes.flatMap(({ offset }) => offset ?? [])).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
  expect(tail.position).toBe(since.replace(/0$/, '30'));
  expect(tail.changes.filter(({ event }) => event?.data === large)).toHaveLength(30);
  const sync = await get(`${room}?since=x:1`);
  expect(sync).toMatchObject({ mode: 'sync', reason: 'epoch', position: tail.position });
  expect(sync.changes.flatMap(({ event }) => event.data)).toEqual(Array.from({ length: 30 }, () => large));
});

test('RV-52 a poller that follows the positions misses nothing and gets nothing twice', async () => {
  const { room, set, worker, of } = await start({ stream: { logMaxChanges: 5 } });
  let position: string | null = await positionOf(room);
  const offsets: number[] = [];
  const writing = (async () => {
    for (let index = 0; index < 150; index++) {
      if (index % 10 === 0)
        await worker.call('stream::batch', { ...of, writes: [1, 2, 3].map((n) => ({ type: 'set', item_id: `b${n}`, data: index })) });
      else await set(`i${index}`, index);
    }
    await set('last', true);
  })();
  const items = new Map<string, unknown>();
  while (!items.has('last')) {
    const answer = await get(`${room}?since=${position}&wait=20`);
    for (const { id, event, offset, type } of answer.changes) {
      if (type !== 'stream') continue;
      offsets.push(offset);
      items.set(id, event.data);
    }
    ({ position } = answer);
  }
  await writing;
  expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));
  const { items: now } = (await (await fetch(room)).json()) as {
    readonly items: readonly { readonly id: string; readonly data: unknown }[];
  };
  expect(Object.fromEntries(items)).toEqual(Object.fromEntries(now.map(({ id, data }) => [id, data])));
});

test('RV-54 a revocation ends a wait with 401, and a stop ends it with 503', async () => {
  const { room, worker, set, stop } = await start({ stream: { authFunction: 'app::auth' } });
  await worker.serve('app::auth', (data) => ({
    identity: (data as { readonly query_params: { readonly token: string[] } }).query_params.token[0],
  }));
  await set('a', 1);
  const { position } = (await (await fetch(`${room}?token=ann`)).json()) as Changes;
  const ann = fetch(`${room}?since=${position}&wait=30&token=ann`);
  const bob = fetch(`${room}?since=${position}&wait=30&token=bob`);
  await expect.poll(() => worker.inbox.all.filter((frame) => frame.type === 'invokefunction').length).toBe(2);
  await new Promise((resolve) => setImmediate(resolve));
  await worker.call('engine::sessions::disconnect', { identity: 'ann' });
  expect((await ann).status).toBe(401);
  const stopped = stop();
  const refused = await bob;
  expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'ENGINE_STOPPING' } }]);
  await stopped;
});

test('RV-52 a stream that a worker stores has no positions: since is answered with its state', async () => {
  const { room, worker } = await start();
  await worker.serve('stream::list(boards)', () => [{ id: 'x' }]);
  const got = await get(`${room.replace('chat', 'boards')}?since=a:1`);
  expect(got).toMatchObject({ position: null, mode: 'sync', changes: [{ event: { type: 'sync', data: [{ id: 'x' }] } }] });
});
