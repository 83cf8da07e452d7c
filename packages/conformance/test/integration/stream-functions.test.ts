import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, test } from 'vitest';

const room = { stream_name: 'chat', group_id: 'room-1' };

describe.each([{ lmdb: false }, { lmdb: true }])('stream functions (lmdb: $lmdb)', ({ lmdb }) => {
  async function start() {
    const started = await startTestEngine({ lmdb });
    const worker = await RawWorker.connect(started.workerUrl);
    return { ...started, worker };
  }

  test('ST-1 set, get, list and delete answer in the documented shapes', async () => {
    const { worker, streamUrl } = await start();
    const item = { ...room, item_id: 'm1' };
    expect(await worker.result('stream::set', { ...item, data: { n: 1 } })).toEqual({ old_value: null, new_value: { n: 1 } });
    expect(await worker.result('stream::set', { ...item, data: { n: 2 } })).toEqual({ old_value: { n: 1 }, new_value: { n: 2 } });
    expect(await worker.result('stream::get', item)).toEqual({ n: 2 });
    const missing = await worker.call('stream::get', { ...room, item_id: 'nobody' });
    expect(Object.keys(missing)).not.toContain('result');
    expect(await worker.result('stream::list', { stream_name: 'chat', group_id: 'nowhere' })).toEqual([]);
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    expect(await worker.result('stream::delete', { ...room, item_id: 'nobody' })).toEqual({ old_value: null });
    expect(await worker.result('stream::delete', item)).toEqual({ old_value: { n: 2 } });
    await watcher.take('delete');
    expect(watcher.kinds()).toEqual(['sync', 'delete']);
  });

  test('ST-1 list keeps the order of creation, an overwrite its place, a delete leaves no hole', async () => {
    const { worker } = await start();
    for (const id of ['c', 'a', 'b']) await worker.result('stream::set', { ...room, item_id: id, data: id });
    await worker.result('stream::set', { ...room, item_id: 'c', data: 'c2' });
    await worker.result('stream::delete', { ...room, item_id: 'a' });
    await worker.result('stream::set', { ...room, item_id: 'a', data: 'a2' });
    expect(await worker.result('stream::list', room)).toEqual(['c2', 'b', 'a2']);
    expect(await worker.result('stream::list', { ...room, with_ids: true, limit: 1, after: 'c' })).toEqual([{ id: 'b', data: 'b' }]);
  });

  test('ST-2 send takes type, event_type or neither, and answers null', async () => {
    const { worker, streamUrl } = await start();
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    const answer = await worker.call('stream::send', { ...room, type: 'a', data: 1 });
    expect(answer).toHaveProperty('result', null);
    await worker.result('stream::send', { ...room, event_type: 'b', data: 2 });
    await worker.result('stream::send', { ...room });
    expect(await worker.errorCode('stream::send', { ...room, type: 7, data: 3 })).toBe('deserialization_error');
    await watcher.take('event', (frame) => frame.event.event?.type === 'message');
    expect(watcher.inbox.all.slice(1).map((frame) => frame.event.event)).toEqual([
      { type: 'a', data: 1 },
      { type: 'b', data: 2 },
      { type: 'message', data: null },
    ]);
  });

  test('ST-22 ids with separators, globs, unicode and the empty string are kept apart', async () => {
    const { worker } = await start();
    const groups = ['', 'a:b', 'a', 'b:c', 'a/b', '100%', '*', '[x]', '?', 'ünï', '🙂', ' '];
    for (const group_id of groups) await worker.result('stream::set', { stream_name: 'a:b', group_id, item_id: '', data: group_id });
    await worker.result('stream::set', { stream_name: 'a', group_id: 'b:c', item_id: 'x', data: 'other' });
    expect(await worker.result('stream::list_groups', { stream_name: 'a:b' })).toEqual([...groups].sort());
    for (const group_id of groups) expect(await worker.result('stream::list', { stream_name: 'a:b', group_id })).toEqual([group_id]);
    expect(await worker.result('stream::list_all', {})).toEqual({
      stream: [
        { id: 'a', groups: ['b:c'] },
        { id: 'a:b', groups: [...groups].sort() },
      ],
      count: 2,
    });
  });

  test('ST-22 ids that are too long, hold control characters or lone surrogates are INVALID_ID', async () => {
    const { worker } = await start();
    for (const item_id of ['é'.repeat(129), 'a\u0000b', 'a\nb', '\ud800']) {
      expect(await worker.errorCode('stream::set', { ...room, item_id, data: 1 })).toBe('INVALID_ID');
    }
    expect(await worker.result('stream::set', { ...room, item_id: 'é'.repeat(128), data: 1 })).toEqual({ old_value: null, new_value: 1 });
  });

  test('the stream of the ledger of calls can neither be named nor watched', async () => {
    const { worker, streamUrl } = await start();
    const own = { stream_name: 'rivulet::calls', group_id: '0' };
    const calls = { 'stream::set': { item_id: 'i', data: 1 }, 'stream::send': { data: 1 }, 'stream::list': {}, 'stream::list_groups': {} };
    for (const [name, more] of Object.entries(calls))
      expect([name, await worker.errorCode(name, { ...own, ...more })]).toEqual([name, 'INVALID_ID']);
    const client = await StreamSocket.open(`${streamUrl}/`);
    client.join('s1', 'rivulet::calls', '0');
    client.join('s2', 'chat', 'room-1');
    expect((await client.take('sync')).streamName).toBe('chat');
  });

  test('ST-23 a stored null is a value: the next set is an update and get answers null', async () => {
    const { worker, streamUrl } = await start();
    const item = { ...room, item_id: 'n' };
    await worker.result('stream::set', { ...item, data: null });
    expect(await worker.call('stream::get', item)).toHaveProperty('result', null);
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    await worker.result('stream::set', { ...item, data: 1 });
    expect((await watcher.take('update')).event.data).toBe(1);
  });

  test('a group without items vanishes from the lists', async () => {
    const { worker } = await start();
    await worker.result('stream::set', { ...room, item_id: 'm', data: 1 });
    await worker.result('stream::delete', { ...room, item_id: 'm' });
    expect(await worker.result('stream::list_groups', { stream_name: 'chat' })).toEqual([]);
    expect(await worker.result('stream::list_all', {})).toEqual({ stream: [], count: 0 });
  });

  test('WP-22 writes and reads of one connection take effect in order', async () => {
    const { worker } = await start();
    const item = { ...room, item_id: 'm' };
    for (let n = 0; n < 200; n++)
      worker.send({ type: 'invokefunction', function_id: 'stream::set', data: { ...item, data: n }, action: { type: 'void' } });
    const read = worker.result('stream::get', item);
    worker.send({ type: 'invokefunction', function_id: 'stream::delete', data: item, action: { type: 'void' } });
    expect(await read).toBe(199);
    expect(await worker.result('stream::list', room)).toEqual([]);
  });

  test('WP-22 reads see the writes before them, though one in between was refused at once', async () => {
    const { worker } = await start();
    for (let n = 1; n <= 20; n++) {
      const item = { ...room, item_id: `m${n}` };
      const set = worker.result('stream::set', { ...item, data: n });
      const send = worker.errorCode('stream::send', { ...room, id: 'x'.repeat(LIMITS.idBytes + 1) });
      const get = worker.result('stream::get', item);
      const list = worker.result('stream::list', { ...room, after: n === 1 ? undefined : `m${n - 1}` });
      const groups = worker.result('stream::list_groups', { stream_name: 'chat' });
      expect(await Promise.all([send, get, list, groups])).toEqual(['INVALID_ID', n, [n], ['room-1']]);
      await set;
    }
  });

  test('SA-9 a thousand concurrent increments add up', async () => {
    const { worker } = await start();
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    await Promise.all(Array.from({ length: 1_000 }, () => worker.result('stream::update', { ...room, item_id: 'count', ops })));
    expect(await worker.result('stream::get', { ...room, item_id: 'count' })).toEqual({ n: 1_000 });
  });

  test('update answers errors beside the value, and writes nothing when nothing changed', async () => {
    const { worker, streamUrl } = await start();
    const item = { ...room, item_id: 'm' };
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    expect(await worker.result('stream::update', { ...item, ops: [] })).toEqual({ old_value: null, new_value: {} });
    await worker.result('stream::set', { ...item, data: { n: 'x' } });
    const answer = await worker.result('stream::update', {
      ...item,
      ops: [
        { type: 'increment', path: 'n', by: 1 },
        { type: 'set', path: 'ok', value: true },
      ],
    });
    expect(answer).toMatchObject({ new_value: { n: 'x', ok: true }, errors: [{ op_index: 0, code: 'increment.not_number' }] });
    expect(await worker.errorCode('stream::update', { ...item, ops: [{ type: 'bogus' }] })).toBe('deserialization_error');
    await watcher.take('update');
    expect(watcher.kinds()).toEqual(['sync', 'create', 'update']);
  });

  test('an update that leaves a missing item as it was creates nothing: no item, no event, no trigger', async () => {
    const { worker, streamUrl } = await start();
    const item = { ...room, item_id: 'm' };
    const fired: unknown[] = [];
    await worker.serve('app::fired', (data) => void fired.push(data));
    await worker.bind('stream', 'app::fired', { stream_name: 'chat' });
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    for (const op of [
      { type: 'remove', path: 'a' },
      { type: 'merge', value: {} },
      { type: 'merge', path: [], value: {} },
    ]) {
      expect(await worker.result('stream::update', { ...item, ops: [op] })).toEqual({ old_value: null, new_value: {} });
    }
    expect(await worker.call('stream::get', item)).not.toHaveProperty('result');
    expect(await worker.result('stream::list_groups', { stream_name: 'chat' })).toEqual([]);
    // The next update that has an effect begins without an item, and is the first that subscribers get.
    const ops = [
      { type: 'remove', path: 'a' },
      { type: 'increment', path: 'n', by: 1 },
    ];
    expect(await worker.result('stream::update', { ...item, ops })).toEqual({ old_value: null, new_value: { n: 1 } });
    await watcher.take('create');
    await worker.take('invokefunction', (frame) => frame.function_id === 'app::fired');
    expect(watcher.kinds()).toEqual(['sync', 'create']);
    expect(fired).toMatchObject([{ event: { type: 'create', data: { n: 1 } } }]);
  });

  test('a value that is larger than an item may be is VALUE_TOO_LARGE, set or grown to, and nothing is written', async () => {
    const { worker, streamUrl } = await start();
    const item = { ...room, item_id: 'm' };
    const most = 'x'.repeat(LIMITS.valueBytes - 2);
    const append = (value: unknown) => ({ ...item, ops: [{ type: 'append', value }] });
    const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
    await watcher.take('sync');
    expect(await worker.errorCode('stream::set', { ...item, data: `${most}x` })).toBe('VALUE_TOO_LARGE');
    expect(await worker.call('stream::get', item)).not.toHaveProperty('result');
    await worker.result('stream::set', { ...item, data: most });
    expect(await worker.errorCode('stream::update', append('x'))).toBe('VALUE_TOO_LARGE');
    expect(await worker.result('stream::get', item)).toBe(most);

    // The largest frame of a set has some members more than this value.
    const list = Array.from({ length: LIMITS.jsonNodes - 9 }, () => 0);
    await worker.result('stream::set', { ...item, data: list });
    await worker.result('stream::update', append(0));
    expect(await worker.errorCode('stream::update', append(0))).toBe('VALUE_TOO_LARGE');
    expect(await worker.result('stream::get', item)).toEqual([...list, 0]);
    await worker.result('stream::set', { ...item, data: 'end' });
    await watcher.take('update', (frame) => frame.event.data === 'end');
    expect(watcher.kinds()).toEqual(['sync', 'create', 'update', 'update', 'update']);
  });

  test('numbers that JSON text cannot carry exactly are refused, never rounded', async () => {
    const { worker } = await start();
    worker.sendText(
      '{"type":"invokefunction","invocation_id":"big","function_id":"stream::set","data":{"stream_name":"s","group_id":"g","item_id":"i","data":9007199254740993}}',
    );
    const answer = await worker.take('invocationresult', (frame) => frame.invocation_id === 'big');
    expect(answer.error).toMatchObject({ code: 'deserialization_error' });
    expect(await worker.result('stream::list', { stream_name: 's', group_id: 'g' })).toEqual([]);
  });
});

test('wrong types for every field of every stream function are a deserialization_error', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const good: Record<string, Record<string, unknown>> = {
    'stream::set': { ...room, item_id: 'm', data: 1 },
    'stream::get': { ...room, item_id: 'm' },
    'stream::delete': { ...room, item_id: 'm' },
    'stream::list': { ...room },
    'stream::list_groups': { stream_name: 'chat' },
    'stream::send': { ...room, type: 't', data: 1 },
    'stream::update': { ...room, item_id: 'm', ops: [] },
    'stream::batch': { ...room, writes: [{ type: 'set', item_id: 'm', data: 1 }] },
  };
  for (const [id, input] of Object.entries(good)) {
    for (const key of Object.keys(input).filter((each) => each !== 'data')) {
      for (const wrong of [7, true, {}, [1]]) {
        if (key === 'ops' && Array.isArray(wrong)) continue;
        expect([id, key, await worker.errorCode(id, { ...input, [key]: wrong })]).toEqual([id, key, 'deserialization_error']);
      }
    }
    for (const wrong of [null, 1, 'x', [input]]) expect([id, await worker.errorCode(id, wrong)]).toEqual([id, 'deserialization_error']);
  }
});
