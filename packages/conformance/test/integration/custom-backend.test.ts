import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { connectOfficial, SDK_VERSIONS, type StreamBackend } from '@rivulet/testkit/peers/official-worker';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { shows } from '../harness/client-matrix.js';
import { Motia } from '../harness/motia-client.js';

const G = { stream_name: 'notes', group_id: 'g' };
const at = (item_id: string) => ({ ...G, item_id });

/** A backend over a Map. `set` and `delete` return nothing, as in the reference example, or the old and the new value. */
function mapBackend(answers: 'nothing' | 'all'): StreamBackend & { readonly groups: Map<string, Map<string, unknown>> } {
  const groups = new Map<string, Map<string, unknown>>();
  const of = (group: string) => groups.get(group) ?? new Map<string, unknown>();
  return {
    groups,
    get: async ({ group_id, item_id }) => of(group_id).get(item_id),
    set: async ({ group_id, item_id, data }) => {
      const items = of(group_id);
      const old_value = items.get(item_id);
      groups.set(group_id, items.set(item_id, data));
      return answers === 'all' ? { old_value, new_value: data } : undefined;
    },
    delete: async ({ group_id, item_id }) => {
      const old_value = of(group_id).get(item_id);
      of(group_id).delete(item_id);
      return answers === 'all' ? { old_value } : undefined;
    },
    list: async ({ group_id }) => [...of(group_id).values()],
    listGroups: async () => [...groups.keys()],
  };
}

async function start(options: TestEngineOptions = {}) {
  const engine = await startTestEngine(options);
  return {
    ...engine,
    connect: () => RawWorker.connect(engine.workerUrl),
    watch: (group = 'g') => StreamSocket.open(`${engine.streamUrl}/stream/notes/${group}`),
  };
}

/** Serves single operations of the stream `notes` by hand. */
async function serve(worker: RawWorker, operations: Readonly<Record<string, (data: unknown, frame: Frame) => unknown>>): Promise<void> {
  for (const [name, handler] of Object.entries(operations)) await worker.serve(`stream::${name}(notes)`, handler);
}

test.each(SDK_VERSIONS.flatMap((version) => (['nothing', 'all'] as const).map((answers) => [version, answers] as const)))(
  'ST-17 createStream of iii-sdk %s serves all five operations when set and delete answer %s',
  async (version, answers) => {
    shows('createStream', `node ${version}`);
    const { workerUrl, connect, watch } = await start();
    const official = await connectOfficial(version, workerUrl);
    const backend = mapBackend(answers);
    official.createStream('notes', backend);
    await official.settled();
    const worker = await connect();
    const client = await watch();
    expect((await client.take('sync')).event.data).toEqual([]);

    expect(await worker.result('stream::get', at('a'))).toBeUndefined();
    expect(await worker.result('stream::set', { ...at('a'), data: { id: 'a', n: 1 } })).toEqual({
      old_value: null,
      new_value: { id: 'a', n: 1 },
    });
    expect(await worker.result('stream::set', { ...at('a'), data: { id: 'a', n: 2 } })).toEqual({
      old_value: { id: 'a', n: 1 },
      new_value: { id: 'a', n: 2 },
    });
    expect(await worker.result('stream::get', at('a'))).toEqual({ id: 'a', n: 2 });
    expect(await worker.result('stream::list', G)).toEqual([{ id: 'a', n: 2 }]);
    expect(await worker.result('stream::list_groups', { stream_name: 'notes' })).toEqual(['g']);
    expect(await worker.result('stream::list_all', {})).toEqual({ stream: [{ id: 'notes', groups: ['g'] }], count: 1 });
    expect(await worker.result('stream::delete', at('a'))).toEqual({ old_value: { id: 'a', n: 2 } });
    expect(await worker.result('stream::delete', at('a'))).toEqual({ old_value: null });
    expect(backend.groups.get('g')?.size).toBe(0);

    await client.take('delete');
    await client.settled();
    const frames = client.inbox.all.map(({ id, event }) => [event.type, id, event.data]);
    expect(frames).toEqual([
      ['sync', null, []],
      ['create', 'a', { id: 'a', n: 1 }],
      ['update', 'a', { id: 'a', n: 2 }],
      ['delete', 'a', { id: 'a', n: 2 }],
    ]);
    const stamps = client.inbox.all.map(({ timestamp }) => timestamp);
    expect([...stamps].sort((left, right) => left - right)).toEqual(stamps);
    expect(new Set(stamps.slice(1)).size).toBe(3);
  },
);

test('ST-17 the backend is called by the engine: no caller id, and exactly the fields of its operation', async () => {
  const { connect } = await start();
  const backend = await connect();
  const seen: unknown[] = [];
  const note = (data: unknown) => void seen.push(data);
  await serve(backend, { get: note, set: note, delete: note, list: note, list_groups: note });
  const worker = await connect();
  await worker.result('stream::list', G);
  await worker.result('stream::list_groups', { stream_name: 'notes' });
  await worker.result('stream::get', at('a'));
  await worker.result('stream::set', { ...at('a'), data: [1] });
  expect(seen).toEqual([G, { stream_name: 'notes' }, at('a'), at('a'), { ...at('a'), data: [1] }]);
});

test('ST-17 a joiner gets the list of the backend, an item subscription its value, and triggers fire', async () => {
  const { connect, watch, streamUrl } = await start();
  const backend = await connect();
  const map = mapBackend('all');
  await map.set({ ...at('a'), data: { id: 'a' } });
  await serve(backend, { get: map.get as never, set: map.set as never, list: map.list as never });
  const worker = await connect();
  await worker.serve('app::saw', () => undefined);
  await worker.bind('stream', 'app::saw', { stream_name: 'notes' });
  const group = await watch();
  expect((await group.take('sync')).event.data).toEqual([{ id: 'a' }]);
  const item = await StreamSocket.open(streamUrl);
  item.join('s1', 'notes', 'g', 'a');
  expect((await item.take('sync')).event.data).toEqual({ id: 'a' });
  item.join('s2', 'notes', 'g', 'b');
  expect((await item.take('sync', ({ id }) => id === 'b')).event.data).toBeNull();
  await worker.result('stream::set', { ...at('b'), data: { id: 'b' } });
  await worker.result('stream::send', { ...G, type: 'typing', data: 1 });
  expect((await item.take('create')).id).toBe('b');
  await group.take('event');
  expect(group.kinds()).toEqual(['sync', 'create', 'event']);
  const fired = await worker.take('invokefunction');
  expect((fired.data as { event: unknown }).event).toEqual({ type: 'create', data: { id: 'b' } });
  // The backend has the item. The store of the engine is empty; otherwise its list would show the item.
  await group.close();
  const late = await watch();
  expect((await late.take('sync')).event.data).toEqual([{ id: 'a' }, { id: 'b' }]);
});

test('ST-17 what the backend changes by itself is in the next sync, though no offset was taken', async () => {
  const { connect, watch } = await start();
  const backend = await connect();
  const map = mapBackend('all');
  await serve(backend, { list: map.list as never });
  const first = await watch();
  expect((await first.take('sync')).event.data).toEqual([]);
  await map.set({ ...at('x'), data: { id: 'x' } });
  const second = await watch();
  expect((await second.take('sync')).event.data).toEqual([{ id: 'x' }]);
});

test('ST-18 an update reads and writes through the backend; 200 of them at once lose none', async () => {
  const { connect, watch } = await start();
  const backend = await connect();
  const map = mapBackend('all');
  await serve(backend, { get: map.get as never, set: map.set as never });
  const [left, right] = [await connect(), await connect()];
  const client = await watch();
  await client.take('sync');
  const add = (worker: RawWorker) => worker.result('stream::update', { ...at('n'), ops: [{ type: 'increment', path: 'count', by: 1 }] });
  expect(await add(left)).toEqual({ old_value: null, new_value: { count: 1 } });
  await Promise.all(Array.from({ length: 199 }, (_, n) => add(n % 2 === 0 ? left : right)));
  expect(map.groups.get('g')?.get('n')).toEqual({ count: 200 });
  await client.take('update', ({ event }) => (event.data as { count: number }).count === 200);
  const counts = client.inbox.all.slice(1).map(({ event }) => (event.data as { count: number }).count);
  expect(counts).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
});

test('ST-18 an update without effect writes nothing; one that fails in part says so', async () => {
  const { connect } = await start();
  const backend = await connect();
  const map = mapBackend('all');
  let sets = 0;
  await serve(backend, { get: map.get as never, set: (data) => (sets++, map.set(data as never)) });
  const worker = await connect();
  expect(await worker.result('stream::update', { ...at('n'), ops: [] })).toMatchObject({ old_value: null });
  expect(sets).toBe(0);
  await worker.result('stream::set', { ...at('n'), data: { s: 'text' } });
  const answer = await worker.result('stream::update', {
    ...at('n'),
    ops: [
      { type: 'increment', path: 's', by: 1 },
      { type: 'set', path: 't', value: 2 },
    ],
  });
  expect(answer).toMatchObject({ new_value: { s: 'text', t: 2 }, errors: [{ op_index: 0, code: 'increment.not_number' }] });
});

test('ST-18 a backend that registers stream::update computes itself', async () => {
  const { connect, watch } = await start();
  const backend = await connect();
  await serve(backend, { update: (data) => ({ old_value: { v: 1 }, new_value: { ops: (data as { ops: unknown }).ops } }) });
  const client = await watch();
  await client.take('sync');
  const worker = await connect();
  const ops = [{ type: 'set', path: 'v', value: 2 }];
  expect(await worker.result('stream::update', { ...at('n'), ops })).toEqual({ old_value: { v: 1 }, new_value: { ops } });
  expect((await client.take('update')).event.data).toEqual({ ops });
});

test('ST-19 a backend that has disconnected is an error, never a write to the store of the engine', async () => {
  const { connect, watch } = await start({ stream: { backendGraceMs: 0 } });
  const backend = await connect();
  const map = mapBackend('all');
  const all = { get: map.get as never, set: map.set as never, delete: map.delete as never, list: map.list as never };
  await serve(backend, all);
  const worker = await connect();
  await worker.result('stream::set', { ...at('a'), data: 1 });
  await worker.result('stream::delete', at('none'));
  await worker.result('stream::list', G);
  await backend.closeSeenBy(worker);
  for (const [id, data] of [
    ['stream::set', { ...at('a'), data: 2 }],
    ['stream::get', at('a')],
    ['stream::delete', at('a')],
    ['stream::list', G],
    ['stream::update', { ...at('a'), ops: [] }],
  ] as const) {
    expect([id, await worker.errorCode(id, data)]).toEqual([id, 'STREAM_BACKEND_UNAVAILABLE']);
  }
  // Other streams work as before, and the list of all streams leaves out the stream whose worker fails.
  await worker.result('stream::set', { stream_name: 'other', group_id: 'g', item_id: 'i', data: 1 });
  expect(await worker.result('stream::list_all', {})).toEqual({ stream: [{ id: 'other', groups: ['g'] }], count: 1 });

  const waiting = await watch();
  const again = await connect();
  await serve(again, all);
  expect((await waiting.take('sync')).event.data).toEqual([1]);
  expect(await worker.result('stream::get', at('a'))).toBe(1);
});

test('ST-19 a backend of which one operation was called is unavailable for all that it served', async () => {
  const { connect, watch } = await start();
  const backend = await connect();
  const map = mapBackend('all');
  await serve(backend, { get: map.get, set: map.set, delete: map.delete, list: map.list } as never);
  const worker = await connect();
  const client = await watch();
  await client.take('sync');
  await backend.closeSeenBy(worker);
  expect(await worker.errorCode('stream::set', { ...at('a'), data: 1 })).toBe('STREAM_BACKEND_UNAVAILABLE');
  expect(await worker.errorCode('stream::delete', at('a'))).toBe('STREAM_BACKEND_UNAVAILABLE');
  // The store serves the operations that the worker never served.
  expect(await worker.result('stream::list_groups', { stream_name: 'notes' })).toEqual([]);
});

test('ST-19 with backend_fallback the store of the engine takes over after the grace time', async () => {
  const { connect } = await start({ stream: { backendGraceMs: 0, backendFallback: true } });
  const backend = await connect();
  await serve(backend, { set: () => undefined });
  const worker = await connect();
  await worker.result('stream::set', { ...at('a'), data: 1 });
  await backend.closeSeenBy(worker);
  await worker.result('stream::set', { ...at('a'), data: 2 });
  expect(await worker.result('stream::get', at('a'))).toBe(2);
});

test('ST-19 errors and timeouts of the backend reach the caller; reads keep the code of the worker', async () => {
  const { connect, watch } = await start({ stream: { backendTimeoutMs: 2_000 } });
  const backend = await connect();
  const fail = () => {
    throw new WorkerError({ code: 'DB_DOWN', message: 'no database' });
  };
  await serve(backend, { set: fail, get: () => undefined, list: fail, delete: () => new Promise(() => {}), list_groups: () => [1] });
  const worker = await connect();
  const error = async (id: string, data: unknown) => (await worker.call(id, data)).error;
  expect(await error('stream::set', { ...at('a'), data: 1 })).toMatchObject({
    code: 'STREAM_SET_ERROR',
    message: expect.stringContaining('DB_DOWN: no database') as string,
  });
  expect(await error('stream::list', G)).toMatchObject({ code: 'DB_DOWN', message: 'no database' });
  expect(await error('stream::delete', at('a'))).toMatchObject({ code: 'STREAM_DELETE_ERROR' });
  expect(await error('stream::list_groups', { stream_name: 'notes' })).toMatchObject({ code: 'JSON_ERROR' });
  // A join waits for a list that the engine can read. It gets nothing meanwhile, and live frames follow the sync.
  const client = await watch();
  await serve(backend, { set: (data) => ({ new_value: (data as { data: unknown }).data }) });
  await worker.result('stream::set', { ...at('a'), data: { id: 'a' } });
  await client.settled();
  expect(client.kinds()).toEqual([]);
  await serve(backend, { list: () => [{ id: 'a' }] });
  expect((await client.take('sync')).event.data).toEqual([{ id: 'a' }]);
});

test('ST-19 a backend that dies while it writes fails that write and no other', async () => {
  const { connect } = await start();
  const backend = await connect();
  await serve(backend, { set: () => backend.socket.terminate() });
  const worker = await connect();
  expect(await worker.errorCode('stream::set', { ...at('a'), data: 1 })).toBe('STREAM_SET_ERROR');
  expect(await worker.result('stream::set', { stream_name: 'other', group_id: 'g', item_id: 'i', data: 1 })).toBeDefined();
});

test('writes to one item run one after another, those to others beside them; a list waits for the writes before it', async () => {
  const { connect } = await start();
  const backend = await connect();
  const order: unknown[] = [];
  const gates: (() => void)[] = [];
  await serve(backend, {
    set: async (data) => {
      const { item_id, data: value } = data as { item_id: string; data: unknown };
      order.push([item_id, value]);
      if (item_id === 'slow') await new Promise<void>((resolve) => gates.push(resolve));
    },
    list: () => order.map((each) => each),
  });
  const worker = await connect();
  const first = worker.result('stream::set', { ...at('slow'), data: 1 });
  const second = worker.result('stream::set', { ...at('slow'), data: 2 });
  await worker.result('stream::set', { ...at('fast'), data: 1 });
  const listing = worker.result('stream::list', G);
  expect(order).toEqual([
    ['slow', 1],
    ['fast', 1],
  ]);
  gates[0]?.();
  await first;
  await expect.poll(() => gates.length).toBe(2);
  gates[1]?.();
  await second;
  expect(await listing).toEqual([
    ['slow', 1],
    ['fast', 1],
    ['slow', 2],
  ]);
});

test('a Motia client that joins under writes ends with what the backend holds', async () => {
  const { streamUrl, connect } = await start();
  const backend = await connect();
  const map = mapBackend('all');
  await serve(backend, { get: map.get as never, set: map.set as never, delete: map.delete as never, list: map.list as never });
  const worker = await connect();
  const writing = (async () => {
    for (let n = 0; n < 300; n++) {
      const id = `m${n % 20}`;
      if (n % 7 === 6) await worker.result('stream::delete', at(id));
      else await worker.result('stream::set', { ...at(id), data: { id, n } });
    }
  })();
  const client = new Motia('stream-client-browser 0.2.2', streamUrl);
  const watch = client.group('notes', 'g');
  await writing;
  const sorted = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).sort();
  const held = await worker.result('stream::list', G);
  await expect.poll(() => sorted(watch.state)).toEqual(sorted(held as unknown[]));
});
