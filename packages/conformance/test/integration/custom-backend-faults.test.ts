import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const G = { stream_name: 'notes', group_id: 'g' };
const at = (item_id: string) => ({ ...G, item_id });
const never = () => new Promise(() => {});

async function start(options: TestEngineOptions = {}) {
  const engine = await startTestEngine(options);
  return {
    connect: () => RawWorker.connect(engine.workerUrl),
    open: () => StreamSocket.open(engine.streamUrl),
    watch: () => StreamSocket.open(`${engine.streamUrl}/stream/notes/g`),
  };
}

async function serve(worker: RawWorker, operations: Readonly<Record<string, (data: unknown, frame: Frame) => unknown>>, stream = 'notes') {
  for (const [name, handler] of Object.entries(operations)) await worker.serve(`stream::${name}(${stream})`, handler);
}

test('ST-17 who watches since before the backend came, or while it was away, gets what it has', async () => {
  const { connect, open, watch } = await start();
  const group = await watch();
  const item = await open();
  item.join('s', 'notes', 'g', 'x');
  expect((await group.take('sync')).event.data).toEqual([]);
  expect((await item.take('sync')).event.data).toBeNull();
  const backend = await connect();
  await serve(backend, { get: () => ({ id: 'x', n: 1 }), list: () => [{ id: 'x', n: 1 }] });
  expect((await group.take('sync', ({ event }) => (event.data as unknown[]).length > 0)).event.data).toEqual([{ id: 'x', n: 1 }]);
  expect((await item.take('sync', ({ event }) => event.data !== null)).event.data).toEqual({ id: 'x', n: 1 });
  const late = await watch();
  expect((await late.take('sync')).event.data).toEqual([{ id: 'x', n: 1 }]);

  const worker = await connect();
  await backend.closeSeenBy(worker);
  await serve(await connect(), { get: () => ({ id: 'x', n: 2 }), list: () => [{ id: 'x', n: 2 }] });
  const second = ({ event }: { readonly event: { readonly data?: unknown } }) => JSON.stringify(event.data).includes('"n":2');
  await Promise.all([group.take('sync', second), item.take('sync', second), late.take('sync', second)]);
});

test('ST-17 who watches gets what another worker has that takes the stream over, and what the first has when that one goes', async () => {
  const { connect, watch } = await start();
  const [first, second, worker] = [await connect(), await connect(), await connect()];
  await serve(first, { list: () => [{ id: 'of the first' }] });
  const client = await watch();
  expect((await client.take('sync')).event.data).toEqual([{ id: 'of the first' }]);
  await serve(second, { list: () => [{ id: 'of the second' }] });
  expect((await client.take('sync')).event.data).toEqual([{ id: 'of the second' }]);
  // The same worker comes back, so the stream is read from the same place.
  await serve(second, { list: () => [{ id: 'of the second, still' }] });
  await second.closeSeenBy(worker);
  expect((await client.take('sync')).event.data).toEqual([{ id: 'of the first' }]);
});

test('ST-19 who watches a stream that the store of the engine takes over gets what that has, and its changes', async () => {
  const { connect, watch } = await start({ stream: { backendGraceMs: 0, backendFallback: true } });
  const [backend, worker] = [await connect(), await connect()];
  const held = [
    { id: 'a', of: 'backend' },
    { id: 'b', of: 'backend' },
  ];
  await serve(backend, {
    get: (data) => held.find(({ id }) => id === (data as { item_id: string }).item_id),
    list: () => held,
    set: never,
  });
  const client = await watch();
  expect((await client.take('sync')).event.data).toEqual(held);
  await backend.closeSeenBy(worker);
  await worker.result('stream::set', { ...at('a'), data: { id: 'a', of: 'store' } });
  expect((await client.take('sync')).event.data).toEqual([{ id: 'a', of: 'store' }]);
  await worker.result('stream::set', { ...at('a'), data: { id: 'a', of: 'store', n: 2 } });
  expect((await client.take('update', ({ event }) => JSON.stringify(event.data).includes('"n":2'))).id).toBe('a');
});

test('ST-19 behind a backend that hangs every writer hears of it in time, and what was given up is never carried out', async () => {
  const { connect } = await start({ stream: { backendTimeoutMs: 2_000 } });
  const backend = await connect();
  const seen: unknown[] = [];
  await serve(backend, { set: (data) => (seen.push((data as { data: unknown }).data), never()) });
  const worker = await connect();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => worker.call('stream::set', { ...at('a'), data: n })));
  expect(new Set(answers.map(({ error }) => (error as Frame).code))).toEqual(new Set(['STREAM_SET_ERROR']));
  expect(seen[0]).toBe(0);
  expect(seen.length).toBeLessThan(20);
  await serve(backend, { set: (data) => void seen.push(data) });
  const asked = seen.length;
  await worker.result('stream::set', { ...at('a'), data: 'next' });
  expect(seen.slice(asked)).toEqual([{ ...at('a'), data: 'next' }]);
});

test('ST-19 a write fails with the code of the write, also when the read before it does', async () => {
  const { connect } = await start();
  const backend = await connect();
  const fail = () => {
    throw new WorkerError({ code: 'DB_DOWN', message: 'no database' });
  };
  await serve(backend, { get: fail, set: () => undefined, delete: () => undefined });
  const worker = await connect();
  expect(await worker.errorCode('stream::set', { ...at('a'), data: 1 })).toBe('STREAM_SET_ERROR');
  expect(await worker.errorCode('stream::delete', at('a'))).toBe('STREAM_DELETE_ERROR');
  expect(await worker.errorCode('stream::update', { ...at('a'), ops: [{ type: 'set', path: 'v', value: 1 }] })).toBe('STREAM_UPDATE_ERROR');
  expect(await worker.errorCode('stream::get', at('a'))).toBe('DB_DOWN');
});

test('a worker that writes and then reads sees what it written, though writes to other items have ended before', async () => {
  const { connect } = await start();
  const backend = await connect();
  const values = new Map<string, unknown>();
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let writes = 0;
  await serve(backend, {
    get: (data) => values.get((data as { item_id: string }).item_id),
    list_groups: () => (values.has('a') ? ['g'] : []),
    set: async (data) => {
      const { item_id, data: value } = data as { item_id: string; data: unknown };
      if (value === 1) await gate;
      values.set(item_id, value);
      writes++;
    },
  });
  const worker = await connect();
  const both = [1, 2].map((data) => worker.result('stream::set', { ...at('a'), data }));
  await worker.result('stream::set', { ...at('b'), data: 3 });
  const read = worker.result('stream::get', at('a'));
  const groups = worker.result('stream::list_groups', { stream_name: 'notes' });
  const all = worker.result('stream::list_all', {});
  await worker.settled();
  // The engine has not called the backend yet, so no reply can be too early.
  await backend.settled();
  release();
  expect(await read).toBe(2);
  expect(await groups).toEqual(['g']);
  expect(await all).toEqual({ stream: [{ id: 'notes', groups: ['g'] }], count: 1 });
  await Promise.all(both);
  expect(writes).toBe(3);
});

test('a stream whose backend hangs keeps no other waiting', async () => {
  const { connect } = await start();
  const backend = await connect();
  await serve(backend, { set: never });
  const worker = await connect();
  worker.send({ type: 'invokefunction', function_id: 'stream::set', data: { ...at('a'), data: 1 } });
  expect(await worker.result('stream::list_groups', { stream_name: 'other' })).toEqual([]);
});

test('the list of all streams asks all backends at once', async () => {
  const { connect } = await start();
  const backend = await connect();
  const worker = await connect();
  const names = ['a', 'b', 'c', 'd'];
  let asked = 0;
  let release = () => {};
  const all = new Promise<void>((resolve) => {
    release = resolve;
  });
  for (const name of names) {
    const answer = async () => {
      if (++asked === names.length) release();
      await all;
      return ['g'];
    };
    await serve(backend, { get: () => 1, list_groups: answer }, name);
    await worker.result('stream::get', { ...at('i'), stream_name: name });
  }
  const stream = names.map((id) => ({ id, groups: ['g'] }));
  expect(await worker.result('stream::list_all', {})).toEqual({ stream, count: 4 });
});

test('ST-18 an update by the backend must answer the new value', async () => {
  const { connect } = await start();
  const backend = await connect();
  let answer: unknown;
  await serve(backend, { update: () => answer });
  const worker = await connect();
  for (answer of [{}, [], 1, 'x', null, { old_value: 1 }])
    expect([answer, await worker.errorCode('stream::update', { ...at('a'), ops: [] })]).toEqual([answer, 'JSON_ERROR']);
  answer = { new_value: null };
  expect(await worker.result('stream::update', { ...at('a'), ops: [] })).toEqual({ old_value: null, new_value: null });
});

test('a hundred who join while the backend lists share its next answer', async () => {
  const { connect, watch, open } = await start();
  const backend = await connect();
  const worker = await connect();
  const gates: (() => void)[] = [];
  let calls = 0;
  const list = async () => {
    calls++;
    await new Promise<void>((resolve) => gates.push(resolve));
    return [{ id: 'n', calls: gates.length }];
  };
  await serve(backend, { list });
  const first = await watch();
  await expect.poll(() => gates.length).toBe(1);
  const others = await Promise.all(Array.from({ length: 100 }, open));
  for (const other of others) other.join('s', 'notes', 'g');
  await Promise.all(others.map((other) => other.settled()));
  await worker.settled();
  gates[0]?.();
  expect((await first.take('sync')).event.data).toEqual([{ id: 'n', calls: 1 }]);
  await expect.poll(() => gates.length).toBe(2);
  gates[1]?.();
  for (const other of others) expect((await other.take('sync')).event.data).toEqual([{ id: 'n', calls: 2 }]);
  expect(calls).toBe(2);
});

test('a joiner of a backend with a slow list misses no change, of a group or of an item', async () => {
  const { connect, watch, open } = await start();
  const backend = await connect();
  const items = new Map<string, unknown>();
  const lag = () => new Promise<void>((resolve) => setTimeout(resolve, 5));
  await serve(backend, {
    get: async (data) => {
      const value = items.get((data as { item_id: string }).item_id);
      await lag();
      return value;
    },
    set: (data) => {
      const { item_id, data: value } = data as { item_id: string; data: unknown };
      const old_value = items.get(item_id) ?? null;
      items.set(item_id, value);
      return { old_value, new_value: value };
    },
    // The values of the time of the call: the reply is old when it comes.
    list: async () => {
      const values = [...items.values()];
      await lag();
      return values;
    },
  });
  const worker = await connect();
  let writing = true;
  const writer = (async () => {
    for (let n = 0; writing; n++) await worker.result('stream::set', { ...at(`m${n % 5}`), data: { id: `m${n % 5}`, n } });
  })();
  const clients: { readonly client: StreamSocket; readonly only: string | undefined }[] = [];
  for (let n = 0; n < 30; n++) {
    const only = n % 2 === 0 ? undefined : 'm1';
    const client = only === undefined ? await watch() : await open();
    if (only !== undefined) client.join('s', 'notes', 'g', only);
    await client.take('sync');
    clients.push({ client, only });
  }
  writing = false;
  await writer;
  await worker.result('stream::set', { ...at('m1'), data: { id: 'm1', n: -1 } });
  for (const { client, only } of clients) {
    await client.take('update', ({ event }) => (event.data as { n: number }).n === -1);
    const state = new Map<string, unknown>();
    for (const { event } of client.inbox.all) {
      const values = event.type === 'sync' && only === undefined ? (event.data as { id: string }[]) : [event.data as { id: string } | null];
      for (const value of values) if (value !== null) state.set(value.id, value);
    }
    const held = [...items].filter(([id]) => only === undefined || id === only);
    expect(Object.fromEntries(state)).toEqual(Object.fromEntries(held));
  }
});

test('ST-19 watchers end with what the backend holds, though its connection breaks again and again under writes', async () => {
  const { connect, watch, open } = await start();
  const items = new Map<string, { id: string; n: number }>();
  const handlers = {
    get: (data: unknown) => items.get((data as { item_id: string }).item_id),
    set: (data: unknown) => {
      const { item_id, data: value } = data as { item_id: string; data: { id: string; n: number } };
      const old_value = items.get(item_id) ?? null;
      items.set(item_id, value);
      return { old_value, new_value: value };
    },
    list: () => [...items.values()],
  };
  let backend = await connect();
  await serve(backend, handlers);
  const worker = await connect();
  const clients = await Promise.all([watch(), watch(), open()]);
  clients[2].join('s', 'notes', 'g', 'm3');
  for (const client of clients) await client.take('sync');
  const order: number[] = [];
  for (let round = 0; round < 8; round++) {
    const writes = Array.from({ length: 60 }, (_, at) => {
      const n = round * 60 + at;
      const id = `m${n % 7}`;
      return worker.call('stream::set', { ...G, item_id: id, data: { id, n } }).then(({ error }) => error === undefined && order.push(n));
    });
    // The worker stops in the middle: some writes are stored and get no reply.
    await Promise.race(writes.slice(0, 20 + round));
    backend.socket.terminate();
    await Promise.all(writes);
    await backend.closed;
    backend = await connect();
    await serve(backend, handlers);
  }
  const held = [...items.values()];
  const shown = (client: StreamSocket, only?: string) => {
    const state = new Map<string, unknown>();
    for (const { event, id } of client.inbox.all) {
      if (event.type === 'sync' && only === undefined) state.clear();
      const values = event.type === 'sync' && only === undefined ? (event.data as { id: string }[]) : [event.data];
      for (const value of values) if (value !== null) state.set((value as { id: string }).id, value);
      expect(only === undefined || id === only).toBe(true);
    }
    return [...state.values()].map((value) => JSON.stringify(value)).sort();
  };
  const expected = held.map((value) => JSON.stringify(value)).sort();
  await expect.poll(() => shown(clients[0])).toEqual(expected);
  await expect.poll(() => shown(clients[1])).toEqual(expected);
  await expect.poll(() => shown(clients[2], 'm3')).toEqual(expected.filter((value) => value.includes('"m3"')));
  // The results of one item come in the order of its writes.
  for (let item = 0; item < 7; item++) {
    const own = order.filter((n) => n % 7 === item);
    expect(own).toEqual([...own].sort((a, b) => a - b));
  }
});

const ofItems = (items: ReadonlyMap<string, unknown>) => ({
  get: (data: unknown) => items.get((data as { item_id: string }).item_id),
  list: () => [...items.values()],
});
const shows = (text: string) => (frame: StreamFrame) => JSON.stringify(frame.event.data).includes(text);

test('ST-19 who watches gets what a backend stored after the time of its answer, with few syncs for many writes', async () => {
  const { connect, watch } = await start({ stream: { backendTimeoutMs: 2_000 } });
  const [backend, worker] = [await connect(), await connect()];
  const items = new Map<string, unknown>([['a', { id: 'a', n: 0 }]]);
  const gates: (() => void)[] = [];
  await serve(backend, {
    ...ofItems(items),
    set: async (data) => {
      const { item_id, data: value } = data as { item_id: string; data: unknown };
      await new Promise<void>((resolve) => gates.push(resolve));
      items.set(item_id, value);
    },
    delete: async (data) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      items.delete((data as { item_id: string }).item_id);
    },
  });
  const client = await watch();
  await client.take('sync');
  const writes = Array.from({ length: 10 }, (_, n) => worker.errorCode('stream::set', { ...at(`m${n}`), data: { id: `m${n}` } }));
  const removal = worker.errorCode('stream::delete', at('a'));
  expect(new Set(await Promise.all(writes))).toEqual(new Set(['STREAM_SET_ERROR']));
  expect(await removal).toBe('STREAM_DELETE_ERROR');
  await client.settled();
  expect(client.kinds()).toEqual(['sync']);
  for (const open of gates) open();
  await client.take('sync', (frame) => shows('"m9"')(frame) && !shows('"a"')(frame));
  expect(client.inbox.all.at(-1)?.event.data).toEqual(Array.from({ length: 10 }, (_, n) => ({ id: `m${n}` })));
  expect(client.kinds().length).toBeLessThan(6);
});

test('ST-19 a write that the backend has stored is never said not to have been written, and who watches gets it', async () => {
  const { connect, watch } = await start();
  const [backend, worker] = [await connect(), await connect()];
  const items = new Map<string, unknown>();
  const store = (data: unknown) => {
    const { item_id } = data as { item_id: string };
    const new_value = { id: item_id, pad: 'x'.repeat(LIMITS.valueBytes) };
    items.set(item_id, new_value);
    return { old_value: null, new_value };
  };
  await serve(backend, { ...ofItems(items), set: store });
  const client = await watch();
  await client.take('sync');
  const { error } = await worker.call('stream::set', { ...at('a'), data: 1 });
  expect(error).toMatchObject({ code: 'STREAM_SET_ERROR', message: expect.stringContaining('the worker of notes has done it') as string });
  await client.take('sync', shows('"id":"a"'));
  items.clear();
  const asUpdate = await worker.call('stream::update', { ...at('b'), ops: [{ type: 'set', path: 'v', value: 1 }] });
  expect(asUpdate.error).toMatchObject({ code: 'STREAM_UPDATE_ERROR' });
  await client.take('sync', shows('"id":"b"'));
  items.clear();
  await serve(backend, {
    update: (data) => {
      items.set((data as { item_id: string }).item_id, { id: 'c' });
      return 'done';
    },
  });
  const refused = await worker.call('stream::update', { ...at('c'), ops: [] });
  expect(refused.error).toMatchObject({ code: 'JSON_ERROR', message: expect.stringContaining('may have taken effect') as string });
  await client.take('sync', shows('"id":"c"'));
  items.clear();
  let tooDeep: unknown = 1;
  for (let n = 0; n <= LIMITS.jsonDepth; n++) tooDeep = [tooDeep];
  await serve(backend, {
    set: (data) => {
      items.set((data as { item_id: string }).item_id, { id: 'd' });
      return { new_value: tooDeep };
    },
  });
  expect(await worker.errorCode('stream::set', { ...at('d'), data: 1 })).toBe('STREAM_SET_ERROR');
  await client.take('sync', shows('"id":"d"'));
});
