import { LIMITS } from '@rivulet/protocol';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { connectOfficial } from '@rivulet/testkit/peers/official-worker';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, test } from 'vitest';

const order = { scope: 'orders', key: 'o1' };

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  return { ...started, worker };
}

describe.each([{ lmdb: false }, { lmdb: true }])('state functions (lmdb: $lmdb)', ({ lmdb }) => {
  test('SA-1 set, get, delete, list and list_groups answer in the documented shapes', async () => {
    const { worker } = await start({ lmdb });
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: [] });
    expect(await worker.result('state::list', { scope: 'nowhere' })).toEqual([]);
    expect(await worker.result('state::set', { ...order, value: { n: 1 } })).toEqual({ old_value: null, new_value: { n: 1 } });
    expect(await worker.result('state::set', { ...order, value: { n: 2 } })).toEqual({ old_value: { n: 1 }, new_value: { n: 2 } });
    expect(await worker.result('state::get', order)).toEqual({ n: 2 });
    await worker.result('state::set', { scope: 'b', key: 'k', value: 'text' });
    await worker.result('state::set', { scope: 'B', key: 'k', value: false });
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: ['B', 'b', 'orders'] });
    expect(await worker.result('state::list_groups', null)).toEqual({ groups: ['B', 'b', 'orders'] });
    expect(await worker.result('state::delete', order)).toEqual({ n: 2 });
    for (const id of ['state::get', 'state::delete']) {
      const missing = await worker.call(id, order);
      expect(missing.error).toBeUndefined();
      expect(Object.keys(missing)).not.toContain('result');
    }
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: ['B', 'b'] });
  });

  test('SA-1 list answers values in the order of insertion; an overwrite keeps its place', async () => {
    const { worker } = await start({ lmdb });
    for (const key of ['c', 'a', 'b']) await worker.result('state::set', { scope: 's', key, value: key });
    await worker.result('state::set', { scope: 's', key: 'c', value: 'c2' });
    await worker.result('state::delete', { scope: 's', key: 'a' });
    await worker.result('state::set', { scope: 's', key: 'a', value: 'a2' });
    expect(await worker.result('state::list', { scope: 's' })).toEqual(['c2', 'b', 'a2']);
    expect(await worker.result('state::list', { scope: 's', with_keys: true, limit: 1, after: 'c' })).toEqual([{ key: 'b', value: 'b' }]);
    expect(await worker.errorCode('state::list', { scope: 's', after: 'nobody' })).toBe('INVALID_ARGUMENTS');
  });

  test('SA-1 a stored null is a value: get and delete answer null', async () => {
    const { worker } = await start({ lmdb });
    expect(await worker.result('state::set', { ...order, value: null })).toEqual({ old_value: null, new_value: null });
    expect(await worker.call('state::get', order)).toHaveProperty('result', null);
    expect(await worker.result('state::list', { scope: 'orders' })).toEqual([null]);
    expect(await worker.call('state::delete', order)).toHaveProperty('result', null);
    expect(Object.keys(await worker.call('state::get', order))).not.toContain('result');
  });

  test('SA-2 data is another name of value, and value wins', async () => {
    const { worker } = await start({ lmdb });
    expect(await worker.result('state::set', { ...order, data: { n: 1 } })).toEqual({ old_value: null, new_value: { n: 1 } });
    expect(await worker.result('state::set', { ...order, data: 'not this', value: 'this' })).toMatchObject({ new_value: 'this' });
    expect(await worker.result('state::set', { ...order, data: 'not this', value: null })).toMatchObject({ new_value: null });
  });

  test('SA-9 a thousand concurrent increments of one key add up, from several workers', async () => {
    const { worker, workerUrl } = await start({ lmdb });
    const workers = [worker, await RawWorker.connect(workerUrl), await RawWorker.connect(workerUrl), await RawWorker.connect(workerUrl)];
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => (workers[n % 4] as RawWorker).result('state::update', { ...order, ops })),
    );
    expect(await worker.result('state::get', order)).toEqual({ n: 1_000 });
    const seen = answers.map((answer) => (answer as { new_value: { n: number } }).new_value.n);
    expect(new Set(seen).size).toBe(1_000);
  });

  test('WP-22 writes and reads of one connection take effect in order', async () => {
    const { worker } = await start({ lmdb });
    const send = (function_id: string, data: Frame) => worker.send({ type: 'invokefunction', function_id, data, action: { type: 'void' } });
    for (let value = 0; value < 200; value++) send('state::set', { ...order, value });
    const read = worker.result('state::get', order);
    const listed = worker.result('state::list', { scope: 'orders' });
    const scopes = worker.result('state::list_groups', {});
    expect(await Promise.all([read, listed, scopes])).toEqual([199, [199], { groups: ['orders'] }]);
    send('state::delete', order);
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: [] });
  });

  test('SA-11 old_value and new_value are snapshots: what happens later does not change them', async () => {
    const { worker } = await start({ lmdb });
    const events: Frame[] = [];
    await worker.serve('app::changed', (data) => void events.push(data as Frame));
    await worker.bind('state', 'app::changed', { scope: 'orders' });
    await worker.result('state::set', { ...order, value: { list: [1] } });
    const append = (value: number) => worker.result('state::update', { ...order, ops: [{ type: 'append', path: 'list', value }] });
    const [second, third] = await Promise.all([append(2), append(3)]);
    expect(second).toEqual({ old_value: { list: [1] }, new_value: { list: [1, 2] } });
    expect(third).toEqual({ old_value: { list: [1, 2] }, new_value: { list: [1, 2, 3] } });
    for (let n = 0; n < 3; n++) await worker.take('invokefunction', (frame) => frame.function_id === 'app::changed');
    await worker.settled();
    expect(events.map(({ old_value, new_value }) => [old_value, new_value])).toEqual([
      [null, { list: [1] }],
      [{ list: [1] }, { list: [1, 2] }],
      [{ list: [1, 2] }, { list: [1, 2, 3] }],
    ]);
  });

  test('scopes and keys with separators, unicode and the empty text are kept apart; others are INVALID_ID', async () => {
    const { worker } = await start({ lmdb });
    const names = ['', 'a:b', 'a', 'b:c', 'a/b', '%', '*', 'ünï', '🙂', '__proto__', 'constructor'];
    for (const scope of names) for (const key of names) await worker.result('state::set', { scope, key, value: [scope, key] });
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: [...names].sort() });
    for (const scope of names) expect(await worker.result('state::list', { scope })).toEqual(names.map((key) => [scope, key]));
    for (const wrong of ['é'.repeat(129), 'a\u0000b', '\ud800']) {
      expect(await worker.errorCode('state::set', { scope: wrong, key: 'k', value: 1 })).toBe('INVALID_ID');
      expect(await worker.errorCode('state::get', { scope: 's', key: wrong })).toBe('INVALID_ID');
      expect(await worker.errorCode('state::list', { scope: wrong })).toBe('INVALID_ID');
    }
  });

  test('what has the wrong shape is deserialization_error and changes nothing', async () => {
    const { worker } = await start({ lmdb });
    const wrong: [string, unknown][] = [
      ['state::set', { scope: 's', value: 1 }],
      ['state::set', { key: 'k', value: 1 }],
      ['state::set', { scope: 's', key: 'k' }],
      ['state::set', { scope: 7, key: 'k', value: 1 }],
      ['state::set', { scope: 's', key: null, value: 1 }],
      ['state::set', 'text'],
      ['state::set', null],
      ['state::get', { scope: 's' }],
      ['state::get', []],
      ['state::delete', { key: 'k' }],
      ['state::list', {}],
      ['state::list', { scope: 's', limit: 0 }],
      ['state::list', { scope: 's', with_keys: 'yes' }],
      ['state::update', { scope: 's', key: 'k' }],
      ['state::update', { scope: 's', key: 'k', ops: {} }],
      ['state::update', { scope: 's', ops: [] }],
    ];
    for (const [id, data] of wrong) expect(await worker.errorCode(id, data), `${id} ${JSON.stringify(data)}`).toBe('deserialization_error');
    worker.sendText(
      '{"type":"invokefunction","invocation_id":"i","function_id":"state::set","data":{"scope":"s","key":"k","value":9007199254740993}}',
    );
    expect(await worker.take('invocationresult', (frame) => frame.invocation_id === 'i')).toMatchObject({
      error: { code: 'deserialization_error' },
    });
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: [] });
  });

  test('a value beyond max_value_bytes is VALUE_TOO_LARGE, set or grown to, and nothing is written', async () => {
    const { worker } = await start({ lmdb, state: { maxValueBytes: 10 } });
    expect(await worker.result('state::set', { ...order, value: 'x'.repeat(8) })).toMatchObject({ old_value: null });
    expect(await worker.errorCode('state::set', { ...order, value: 'x'.repeat(9) })).toBe('VALUE_TOO_LARGE');
    expect(await worker.errorCode('state::set', { ...order, value: 'é'.repeat(5) })).toBe('VALUE_TOO_LARGE');
    const append = { type: 'append', path: '', value: 'y' };
    expect(await worker.errorCode('state::update', { ...order, ops: [append] })).toBe('VALUE_TOO_LARGE');
    expect(await worker.result('state::get', order)).toBe('x'.repeat(8));
    expect(await worker.result('state::update', { ...order, ops: [{ type: 'set', path: '', value: 'é' }, append] })).toMatchObject({
      new_value: 'éy',
    });
  });

  test('a value that is larger than any item may be is VALUE_TOO_LARGE', async () => {
    const { worker } = await start({ lmdb });
    const most = 'x'.repeat(LIMITS.valueBytes - 2);
    await worker.result('state::set', { ...order, value: most });
    expect(await worker.errorCode('state::set', { ...order, value: `${most}x` })).toBe('VALUE_TOO_LARGE');
    expect(await worker.errorCode('state::update', { ...order, ops: [{ type: 'append', path: '', value: 'x' }] })).toBe('VALUE_TOO_LARGE');
    expect(await worker.result('state::get', order)).toBe(most);
  });
});

describe('state::update', () => {
  const ABSENT = Symbol('no value');

  test.each<[unknown, Frame, unknown]>([
    [ABSENT, { type: 'set', path: 'a', value: 1 }, { a: 1 }],
    [{ a: { b: 1 } }, { type: 'merge', path: 'a', value: { c: 2 } }, { a: { b: 1, c: 2 } }],
    [ABSENT, { type: 'increment', path: '', by: 3 }, 3],
    [{}, { type: 'decrement', path: 'n', by: 2 }, { n: -2 }],
    [{ s: 'a' }, { type: 'append', path: 's', value: 'b' }, { s: 'ab' }],
    [{ a: 1, b: 2 }, { type: 'remove', path: 'a' }, { b: 2 }],
  ])('SA-4 one case of each op that applies: %j %j', async (before, op, after) => {
    const { worker } = await start();
    if (before !== ABSENT) await worker.result('state::set', { ...order, value: before });
    const old_value = before === ABSENT ? null : before;
    expect(await worker.result('state::update', { ...order, ops: [op] })).toEqual({ old_value, new_value: after });
    expect(await worker.result('state::get', order)).toEqual(after);
  });

  test.each<[unknown, Frame, string]>([
    [[1], { type: 'set', path: 'a', value: 1 }, 'set.target_not_object'],
    [7, { type: 'merge', value: { a: 1 } }, 'merge.target_not_object'],
    [{ n: null }, { type: 'increment', path: 'n', by: 1 }, 'increment.not_number'],
    ['text', { type: 'decrement', path: 'n', by: 2 }, 'decrement.target_not_object'],
    [{ s: 'a' }, { type: 'append', path: 's', value: 1 }, 'append.type_mismatch'],
    [null, { type: 'remove', path: 'a' }, 'remove.target_not_object'],
  ])('SA-4 one case of each op that fails: %j %j', async (before, op, code) => {
    const { worker } = await start();
    await worker.result('state::set', { ...order, value: before });
    const errors = [
      { op_index: 0, code, message: expect.stringContaining('path: ') as string, doc_url: expect.stringContaining('https://') as string },
    ];
    expect(await worker.result('state::update', { ...order, ops: [op] })).toEqual({ old_value: before, new_value: before, errors });
    expect(await worker.result('state::get', order)).toEqual(before);
  });

  test('SA-5 and SA-6 limits are reported for their op alone, in bytes; errors is absent when there are none', async () => {
    const { worker } = await start();
    const ops = [
      { type: 'append', path: ['é'.repeat(129)], value: 1 },
      { type: 'merge', path: ['a', ''], value: { x: 1 } },
      { type: 'merge', value: [1] },
      { type: 'set', path: 'constructor', value: 1 },
      { type: 'append', path: ['é'.repeat(128)], value: 1 },
    ];
    const answer = (await worker.result('state::update', { ...order, ops })) as { errors: Frame[]; new_value: unknown };
    expect(answer.errors.map(({ op_index, code }) => [op_index, code])).toEqual([
      [0, 'append.path.segment_too_long'],
      [1, 'merge.path.empty_segment'],
      [2, 'merge.value.not_an_object'],
      [3, 'set.path.proto_polluted'],
    ]);
    expect(answer.new_value).toEqual({ ['é'.repeat(128)]: [1] });
    expect(Object.keys((await worker.result('state::update', { ...order, ops: ops.slice(4) })) as Frame).sort()).toEqual([
      'new_value',
      'old_value',
    ]);
  });

  test('SA-7 append creates nested parents, and keeps the text for a single missing key', async () => {
    const { worker } = await start();
    const append = async (before: unknown, path: unknown, value: unknown) => {
      await worker.result('state::set', { ...order, value: before });
      return ((await worker.result('state::update', { ...order, ops: [{ type: 'append', path, value }] })) as Frame).new_value;
    };
    expect(await append({ a: [1] }, ['a', 'b'], 42)).toEqual({ a: { b: [42] } });
    expect(await append({}, ['a', 'b'], 'x')).toEqual({ a: { b: ['x'] } });
    expect(await append({}, 'a', 'x')).toEqual({ a: 'x' });
  });

  test('SA-8 an unknown op fails the whole call, and nothing is stored', async () => {
    const { worker } = await start();
    const ops = [
      { type: 'set', path: 'a', value: 1 },
      { type: 'bogus', path: 'b' },
    ];
    expect(await worker.errorCode('state::update', { ...order, ops })).toBe('deserialization_error');
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: [] });
  });

  test('SA-10 __proto__ in a value is a key like any other and pollutes nothing', async () => {
    const { worker } = await start();
    const text = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    worker.sendText(
      `{"type":"invokefunction","invocation_id":"i","function_id":"state::set","data":{"scope":"orders","key":"o1","value":${text}}}`,
    );
    await worker.take('invocationresult', (frame) => frame.invocation_id === 'i');
    const answer = await worker.result('state::update', { ...order, ops: [{ type: 'set', path: 'n', value: 1 }] });
    expect(JSON.stringify((answer as Frame).new_value)).toBe(`${text.slice(0, -1)},"n":1}`);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('an update that changes nothing answers and creates nothing', async () => {
    const { worker } = await start();
    expect(await worker.result('state::update', { ...order, ops: [] })).toEqual({ old_value: null, new_value: {} });
    expect(await worker.result('state::update', { ...order, ops: [{ type: 'remove', path: 'a' }] })).toEqual({
      old_value: null,
      new_value: {},
    });
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: [] });
  });
});

test('a list that no message of the caller could carry is RESULT_TOO_LARGE, and can be paged', async () => {
  const { worker } = await start({ worker: { maxMessageBytes: 100_000 } });
  for (let n = 0; n < 3; n++) await worker.result('state::set', { scope: 's', key: `k${n}`, value: 'x'.repeat(40_000) });
  expect(await worker.errorCode('state::list', { scope: 's' })).toBe('RESULT_TOO_LARGE');
  const page = (await worker.result('state::list', { scope: 's', limit: 2, with_keys: true })) as { key: string }[];
  expect(page.map(({ key }) => key)).toEqual(['k0', 'k1']);
  expect(await worker.result('state::list', { scope: 's', after: 'k1' })).toHaveLength(1);
});

test('streams and state share nothing', async () => {
  const { worker } = await start({ lmdb: true });
  await worker.result('state::set', { scope: 'g', key: 'k', value: 1 });
  await worker.result('stream::set', { stream_name: 'state', group_id: 'g', item_id: 'k', data: 2 });
  expect(await worker.result('state::list', { scope: 'g' })).toEqual([1]);
  expect(await worker.result('stream::list_all', {})).toEqual({ stream: [{ id: 'state', groups: ['g'] }], count: 1 });
  await worker.result('stream::delete', { stream_name: 'state', group_id: 'g', item_id: 'k' });
  expect(await worker.result('state::get', { scope: 'g', key: 'k' })).toBe(1);
});

describe.each([
  { version: '0.3.0', key: 'data' },
  { version: '0.22.1', key: 'value' },
] as const)('SA-1 and SA-2 through the official SDK $version', ({ version, key }) => {
  test(`a round trip that writes ${key}`, async () => {
    const { workerUrl } = await startTestEngine({ lmdb: true });
    const worker = await connectOfficial(version, workerUrl);
    expect(await worker.call('state::get', order)).toBeUndefined();
    expect(await worker.call('state::set', { ...order, [key]: { n: 1 } })).toEqual({ old_value: null, new_value: { n: 1 } });
    expect(await worker.call('state::set', { ...order, [key]: { n: 2 } })).toEqual({ old_value: { n: 1 }, new_value: { n: 2 } });
    const ops = [{ type: 'increment', path: 'n', by: 2 }];
    expect(await worker.call('state::update', { ...order, ops })).toEqual({ old_value: { n: 2 }, new_value: { n: 4 } });
    expect(await worker.call('state::get', order)).toEqual({ n: 4 });
    expect(await worker.call('state::list', { scope: 'orders' })).toEqual([{ n: 4 }]);
    expect(await worker.call('state::list_groups', {})).toEqual({ groups: ['orders'] });
    expect(await worker.call('state::delete', order)).toEqual({ n: 4 });
    expect(await worker.call('state::delete', order)).toBeUndefined();
    expect(await worker.call('state::list', { scope: 'orders' })).toEqual([]);
    await expect(worker.call('state::set', { scope: 'orders', [key]: 1 })).rejects.toMatchObject({ code: 'deserialization_error' });
  });

  test('SA-9 its concurrent increments add up', async () => {
    const { workerUrl } = await startTestEngine();
    const worker = await connectOfficial(version, workerUrl);
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    await Promise.all(Array.from({ length: 1_000 }, () => worker.call('state::update', { ...order, ops })));
    expect(await worker.call('state::get', order)).toEqual({ n: 1_000 });
  });
});

describe.each([{ lmdb: false }, { lmdb: true }])('C8 numbers (lmdb: $lmdb)', ({ lmdb }) => {
  const room = { stream_name: 's', group_id: 'g', item_id: 'i' };

  test('C8 an increment beyond 2^53−1 fails with a code, changes nothing, and what get returns can be written back', async () => {
    const { worker } = await start({ lmdb });
    const most = { n: Number.MAX_SAFE_INTEGER, low: -Number.MAX_SAFE_INTEGER, big: 1e300, nested: [[1e21, -5e-324, -0]] };
    const ops = [
      { type: 'increment', path: 'n', by: 1 },
      { type: 'decrement', path: 'low', by: 1 },
      { type: 'increment', path: 'big', by: 1 },
      { type: 'increment', path: 'big', by: 1e308 },
      { type: 'increment', path: 'fine', by: 1 },
    ];
    const failed = [0, 1, 2].map((index) => ({ op_index: index, code: `${ops[index]?.type}.not_number` }));
    const stores = [
      { set: 'state::set', get: 'state::get', update: 'state::update', name: order, value: 'value' },
      { set: 'stream::set', get: 'stream::get', update: 'stream::update', name: room, value: 'data' },
    ];
    for (const { set, get, update, name, value } of stores) {
      await worker.result(set, { ...name, [value]: most });
      const result = (await worker.result(update, { ...name, ops })) as { errors: Frame[] };
      expect(result.errors).toMatchObject(failed);
      expect(result).toMatchObject({ new_value: { n: most.n, low: most.low, fine: 1 } });
      const stored = await worker.result(get, name);
      expect(await worker.result(set, { ...name, [value]: stored })).toEqual({ old_value: stored, new_value: stored });
      for (const number of ['1e16', '-9007199254740992.0', '123456789012345678e2', '1e400']) {
        const data = JSON.stringify({ ...name, [value]: 'N' }).replace('"N"', number);
        worker.sendText(`{"type":"invokefunction","invocation_id":"i","function_id":"${set}","data":${data}}`);
        expect((await worker.take('invocationresult')).error).toMatchObject({ code: 'deserialization_error' });
      }
    }
  });
});
