import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, test } from 'vitest';

const room = { stream_name: 'chat', group_id: 'room-1' };
const at = (item_id: string) => ({ ...room, item_id });
const version = expect.stringMatching(/^[^:]+:\d+$/) as string;
const object = (value: unknown) => value as Readonly<Record<string, unknown>>;

describe.each([{ lmdb: false }, { lmdb: true }])('writes that say what they mean (lmdb: $lmdb)', ({ lmdb }) => {
  async function start(options: TestEngineOptions = {}) {
    const started = await startTestEngine({ lmdb, ...options });
    const worker = await RawWorker.connect(started.workerUrl);
    const watch = async (group = 'room-1') => {
      const watcher = await StreamSocket.open(`${started.streamUrl}/stream/chat/${group}`);
      await watcher.take('sync');
      return watcher;
    };
    return { ...started, worker, watch };
  }

  test('RV-30 a write with the version of another writer is a conflict, which is a result and no event', async () => {
    const { worker, watch } = await start();
    const watcher = await watch();
    const first = object(await worker.result('stream::set', { ...at('m'), data: 1, with_versions: true }));
    expect(first).toEqual({ old_value: null, new_value: 1, version });
    const second = object(await worker.result('stream::set', { ...at('m'), data: 2, if_version: first.version, with_versions: true }));
    expect(second).toEqual({ old_value: 1, new_value: 2, version });
    const conflict = { conflict: { value: 2, version: second.version } };
    expect(await worker.result('stream::set', { ...at('m'), data: 3, if_version: first.version })).toEqual(conflict);
    const ops = [{ type: 'set', path: '', value: 3 }];
    expect(await worker.result('stream::update', { ...at('m'), ops, if_version: first.version })).toEqual(conflict);
    expect(await worker.result('stream::delete', { ...at('m'), if_version: first.version })).toEqual(conflict);
    expect(await worker.result('stream::set', { ...at('m'), data: 3, if_absent: true })).toEqual(conflict);
    expect(await worker.result('stream::update', { ...at('m'), ops, if_absent: true })).toEqual(conflict);
    expect(await worker.result('stream::get', at('m'))).toBe(2);
    expect(await worker.result('stream::update', { ...at('m'), ops, if_version: second.version })).toEqual({ old_value: 2, new_value: 3 });
    expect(await worker.result('stream::set', { ...at('n'), data: 1, if_version: first.version })).toEqual({
      conflict: { value: null, version: null },
    });
    await worker.result('stream::set', { ...at('null'), data: null });
    expect(await worker.result('stream::set', { ...at('null'), data: 1, if_absent: true })).toEqual({ conflict: { value: null, version } });
    await watcher.take('create', ({ id }) => id === 'null');
    expect(watcher.kinds()).toEqual(['sync', 'create', 'update', 'update', 'create']);
  });

  test.each([
    ['stream::set', { data: 1, if_version: 'a:1', if_absent: true }, 'deserialization_error'],
    ['stream::set', { data: 1, if_version: 7 }, 'deserialization_error'],
    ['stream::set', { data: 1, if_absent: 'yes' }, 'deserialization_error'],
    ['stream::delete', { if_absent: true }, 'deserialization_error'],
    ['stream::delete', { ttl_ms: 5_000 }, 'deserialization_error'],
    ['stream::set', { data: 1, with_versions: 1 }, 'deserialization_error'],
    ['stream::set', { data: 1, ttl_ms: 999 }, 'deserialization_error'],
    ['stream::set', { data: 1, ttl_ms: 2_592_000_001 }, 'deserialization_error'],
    ['stream::set', { data: 1, ttl_ms: '5000' }, 'deserialization_error'],
    ['stream::set', { data: 1, idempotency_key: 7 }, 'deserialization_error'],
    ['stream::set', { data: 1, idempotency_key: '' }, 'deserialization_error'],
    ['stream::set', { data: 1, idempotency_key: 'é'.repeat(129) }, 'INVALID_ID'],
    ['stream::send', { idempotency_key: 'a\nb' }, 'INVALID_ID'],
  ])('RV-30 RV-32 RV-40 %s with %j is refused: %s', async (id, more, code) => {
    const { worker } = await start();
    expect(await worker.errorCode(id, { ...at('m'), ...more })).toBe(code);
    expect(await worker.result('stream::list', room)).toEqual([]);
  });

  test('RV-31 versions and positions are answered where they are asked for, also behind writes that are on their way', async () => {
    const { worker } = await start();
    const missing = object(await worker.result('stream::get', { ...at('a'), with_versions: true }));
    expect(missing).toEqual({ data: null, version: null, position: version });
    const [created, read] = await Promise.all([
      worker.result('stream::set', { ...at('a'), data: 1, with_versions: true }),
      worker.result('stream::get', { ...at('a'), with_versions: true }),
    ]);
    const a = object(created).version;
    expect(read).toEqual({ data: 1, version: a, position: a });
    const b = object(await worker.result('stream::set', { ...at('b'), data: 2, with_versions: true })).version;
    expect(await worker.result('stream::list', { ...room, with_versions: true })).toEqual([
      { id: 'a', data: 1, version: a },
      { id: 'b', data: 2, version: b },
    ]);
    expect(await worker.result('stream::list', { ...room, with_position: true })).toEqual({ items: [1, 2], position: b });
    expect(await worker.result('stream::list', { ...room, with_versions: true, with_position: true, after: 'a' })).toEqual({
      items: [{ id: 'b', data: 2, version: b }],
      position: b,
    });
    expect(await worker.result('stream::update', { ...at('b'), ops: [], with_versions: true })).toEqual({
      old_value: 2,
      new_value: 2,
      version: b,
    });
    const gone = object(await worker.result('stream::delete', { ...at('b'), with_versions: true }));
    expect(gone).toEqual({ old_value: 2, version });
    expect(gone.version).not.toBe(b);
    expect(await worker.result('stream::delete', { ...at('b'), with_versions: true })).toEqual({ old_value: null, version: null });
    expect(await worker.result('stream::get', { ...at('b'), with_versions: true })).toEqual({
      data: null,
      version: null,
      position: gone.version,
    });
  });

  test('RV-32 a call that is repeated with its key answers what it answered, and writes nothing', async () => {
    const { worker, watch } = await start();
    const watcher = await watch();
    const increment = { ...at('n'), ops: [{ type: 'increment', path: 'n', by: 1 }], idempotency_key: 'order 1' };
    const answers = await Promise.all([1, 2, 3].map(() => worker.result('stream::update', increment)));
    const first = { old_value: null, new_value: { n: 1 } };
    expect(answers).toEqual([first, { ...first, replayed: true }, { ...first, replayed: true }]);
    await worker.result('stream::set', { ...at('n'), data: 'other' });
    expect(await worker.result('stream::update', increment)).toEqual({ ...first, replayed: true });
    const failing = { ...at('n'), ops: [{ type: 'increment', path: '', by: 1 }], idempotency_key: 'k2', with_versions: true };
    const told = object(await worker.result('stream::update', failing));
    expect(told.errors).toHaveLength(1);
    expect(await worker.result('stream::update', failing)).toEqual({ ...told, replayed: true });
    const deletion = { ...at('n'), idempotency_key: 'k3' };
    expect(await worker.result('stream::delete', deletion)).toEqual({ old_value: 'other' });
    expect(await worker.result('stream::delete', deletion)).toEqual({ old_value: 'other', replayed: true });
    const event = { ...room, type: 'ping', data: 1, idempotency_key: 'k4' };
    expect(await worker.result('stream::send', event)).toBeNull();
    expect(await worker.result('stream::send', event)).toEqual({ replayed: true });
    await worker.result('stream::send', { ...room, type: 'end' });
    await watcher.take('event', ({ event: sent }) => sent.event?.type === 'end');
    expect(watcher.kinds()).toEqual(['sync', 'create', 'update', 'delete', 'event', 'event']);
  });

  test('RV-32 a key is that of one function and item of one group', async () => {
    const { worker } = await start();
    const write = { ...at('a'), data: 1, idempotency_key: 'k' };
    await worker.result('stream::set', write);
    expect(await worker.errorCode('stream::set', { ...write, item_id: 'b' })).toBe('INVALID_ARGUMENTS');
    expect(await worker.errorCode('stream::delete', write)).toBe('INVALID_ARGUMENTS');
    expect(await worker.errorCode('stream::send', { ...room, idempotency_key: 'k' })).toBe('INVALID_ARGUMENTS');
    expect(
      await worker.errorCode('stream::batch', { ...room, writes: [{ type: 'set', item_id: 'a', data: 1 }], idempotency_key: 'k' }),
    ).toBe('INVALID_ARGUMENTS');
    for (const other of [{ group_id: 'room-2' }, { stream_name: 'other' }])
      expect(await worker.result('stream::set', { ...write, ...other })).toEqual({ old_value: null, new_value: 1 });
    expect(await worker.result('stream::list', room)).toEqual([1]);
  });

  test('RV-33 a batch is one step: consecutive frames that say through, one result for each write', async () => {
    const { worker, watch } = await start();
    await worker.result('stream::set', { ...at('old'), data: 0 });
    const watcher = await watch();
    const writes = [
      { type: 'set', item_id: 'a', data: { n: 1 } },
      {
        type: 'update',
        item_id: 'a',
        ops: [
          { type: 'increment', path: 'n', by: 1 },
          { type: 'increment', path: '', by: 1 },
        ],
      },
      { type: 'delete', item_id: 'old', if_absent: false },
      { type: 'set', item_id: 'b', data: 2, if_absent: true },
      { type: 'delete', item_id: 'nobody' },
    ];
    const batch = { ...room, writes, idempotency_key: 'b', with_versions: true };
    const answer = object(await worker.result('stream::batch', batch));
    const errors = [expect.objectContaining({ op_index: 1 }) as unknown];
    expect(answer).toEqual({
      results: [
        { old_value: null, new_value: { n: 1 }, version },
        { old_value: { n: 1 }, new_value: { n: 2 }, errors, version },
        { old_value: 0, version },
        { old_value: null, new_value: 2, version },
        { old_value: null, version: null },
      ],
    });
    expect(await worker.result('stream::batch', batch)).toEqual({ ...answer, replayed: true });
    await worker.result('stream::set', { ...at('after'), data: 1 });
    await watcher.take('create', ({ id }) => id === 'after');
    const frames = watcher.inbox.all
      .slice(1)
      .map(({ id, event, ...more }) => [id, event.type, 'through' in more ? more.through : undefined]);
    const last = Number(
      String(object((answer.results as unknown[])[3]).version)
        .split(':')
        .at(-1),
    );
    expect(frames).toEqual([
      ['a', 'create', last],
      ['a', 'update', last],
      ['old', 'delete', last],
      ['b', 'create', last],
      ['after', 'create', undefined],
    ]);
  });

  test('RV-33 a batch with a conflict or a wrong write does nothing, and says which it was', async () => {
    const { worker, watch } = await start();
    await worker.result('stream::set', { ...at('m'), data: 1 });
    const watcher = await watch();
    const good = { type: 'set', item_id: 'a', data: 1 };
    const batch = (...writes: unknown[]) => ({ ...room, writes: [good, ...writes] });
    expect(await worker.result('stream::batch', batch({ type: 'set', item_id: 'm', data: 2, if_absent: true }))).toEqual({
      conflict: { index: 1, item_id: 'm', value: 1, version },
    });
    for (const [write, code] of [
      [{ type: 'send', item_id: 'm' }, 'deserialization_error'],
      [{ type: 'set', item_id: 'm' }, 'deserialization_error'],
      [{ type: 'update', item_id: 'm', ops: 7 }, 'deserialization_error'],
      [{ type: 'set', item_id: 'a\n', data: 1 }, 'INVALID_ID'],
      [{ type: 'set', item_id: 'm', data: 1, idempotency_key: 'k' }, 'deserialization_error'],
      [7, 'deserialization_error'],
    ] as const) {
      const { error } = await worker.call('stream::batch', batch(write));
      expect(error).toMatchObject({ code, message: expect.stringMatching(/^writes\[1\]/) as string });
    }
    for (const writes of [undefined, [], {}, Array.from({ length: LIMITS.batchWrites + 1 }, () => good)])
      expect(await worker.errorCode('stream::batch', { ...room, writes })).toBe('deserialization_error');
    await worker.result('stream::send', { ...room, type: 'end' });
    await watcher.take('event');
    expect(watcher.kinds()).toEqual(['sync', 'event']);
    expect(await worker.result('stream::list', room)).toEqual([1]);
  });

  test('RV-33 a batch may have as many writes as its bound, and values up to theirs', async () => {
    const { worker, watch } = await start();
    const watcher = await watch();
    const writes = Array.from({ length: LIMITS.batchWrites }, (_, n) => ({ type: 'set', item_id: `m${n}`, data: n }));
    const { results } = object(await worker.result('stream::batch', { ...room, writes }));
    expect(results).toHaveLength(LIMITS.batchWrites);
    await watcher.take('create', ({ id }) => id === `m${LIMITS.batchWrites - 1}`);
    const large = 'x'.repeat(LIMITS.valueBytes - 2);
    for (const item of ['l1', 'l2']) await worker.result('stream::set', { ...at(item), data: large });
    const replace = ['l1', 'l2'].map((item_id) => ({ type: 'set', item_id, data: 'small' }));
    expect(await worker.errorCode('stream::batch', { ...room, writes: replace })).toBe('VALUE_TOO_LARGE');
    expect(await worker.result('stream::get', at('l1'))).toBe(large);
  });

  test('RV-33 stream triggers fire for each write of a batch, in order', async () => {
    const { worker } = await start();
    await worker.serve('app::on', () => null);
    await worker.bind('stream', 'app::on', { stream_name: 'chat' });
    await worker.result('stream::batch', {
      ...room,
      writes: [
        { type: 'set', item_id: 'a', data: 1 },
        { type: 'set', item_id: 'a', data: 2 },
        { type: 'delete', item_id: 'a' },
      ],
    });
    const fired = ({ data }: Frame) => (data as { event: Frame }).event.type;
    await worker.take('invokefunction', (frame) => fired(frame) === 'delete');
    expect(worker.inbox.all.filter(({ type }) => type === 'invokefunction').map(fired)).toEqual(['create', 'update', 'delete']);
  });

  test('RV-40 an item goes when its time is over: a delete for subscribers and triggers, at most a second late', async () => {
    let now = Date.now();
    const { worker, watch } = await start({ clock: { now: () => now, monotonic: () => performance.now() } });
    const watcher = await watch();
    await worker.serve('app::on', () => null);
    await worker.bind('stream', 'app::on', { stream_name: 'chat' });
    await worker.result('stream::set', { ...at('short'), data: { id: 'short' }, ttl_ms: 1_000 });
    await worker.result('stream::batch', { ...room, writes: [{ type: 'set', item_id: 'batched', data: 1, ttl_ms: 10_000 }] });
    await worker.result('stream::set', { ...at('kept'), data: 1, ttl_ms: 1_000 });
    await worker.result('stream::set', { ...at('kept'), data: 2 });
    await worker.result('stream::update', { ...at('touched'), ops: [{ type: 'set', path: '', value: 1 }], ttl_ms: 1_000 });
    await worker.result('stream::update', { ...at('touched'), ops: [], ttl_ms: 600_000 });
    now += 5_000;
    await watcher.take('delete', ({ id }) => id === 'short');
    expect(await worker.result('stream::get', at('batched'))).toBe(1);
    now += 5_000;
    const frame = await watcher.take('delete', ({ id }) => id === 'batched');
    expect(frame.event.data).toBe(1);
    const isDelete = ({ data }: Frame) => (data as { event: Frame }).event.type === 'delete';
    const { data } = await worker.take('invokefunction', isDelete);
    expect(data).toMatchObject({ id: 'short', event: { type: 'delete', data: { id: 'short' } } });
    expect(watcher.inbox.all.filter(({ event }) => event.type === 'delete').map(({ id }) => id)).toEqual(['short', 'batched']);
    expect(await worker.result('stream::list', room)).toEqual([2, 1]);
  });
});

test('RV-30 RV-33 RV-40 a stream that a worker serves takes none of this, and says so; its events take keys', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  let calls = 0;
  for (const name of ['get', 'set', 'list']) await worker.serve(`stream::${name}(chat)`, () => void calls++);
  for (const more of [{ if_absent: true }, { if_version: 'a:1' }, { idempotency_key: 'k' }, { ttl_ms: 5_000 }, { with_versions: true }])
    expect(await worker.errorCode('stream::set', { ...at('m'), data: 1, ...more })).toBe('INVALID_ARGUMENTS');
  const writes = [{ type: 'set', item_id: 'm', data: 1 }];
  expect(await worker.errorCode('stream::batch', { ...room, writes })).toBe('INVALID_ARGUMENTS');
  expect(await worker.errorCode('stream::get', { ...at('m'), with_versions: true })).toBe('INVALID_ARGUMENTS');
  expect(await worker.errorCode('stream::list', { ...room, with_versions: true })).toBe('INVALID_ARGUMENTS');
  expect(await worker.errorCode('stream::list', { ...room, with_position: true })).toBe('INVALID_ARGUMENTS');
  expect(calls).toBe(0);
  const event = { ...room, type: 'ping', idempotency_key: 'k' };
  expect(await worker.result('stream::send', event)).toBeNull();
  expect(await worker.result('stream::send', event)).toEqual({ replayed: true });
  expect(await worker.result('stream::batch', { ...room, stream_name: 'own', writes })).toEqual({
    results: [{ old_value: null, new_value: 1 }],
  });
});
