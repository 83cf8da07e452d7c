import { randomUUID } from 'node:crypto';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { afterEach, expect, it } from 'vitest';

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'];
/** Names that a careless encoding would join, split, decode or match. */
const AWKWARD = [
  'a:b',
  'a',
  'b',
  'a/b',
  'a%2Fb',
  '%',
  '*',
  '?',
  '[a]',
  '{a}',
  '..',
  ' ',
  '',
  '::',
  'a::b',
  '"',
  '\\',
  'é',
  '🙂',
  '__proto__',
  '\u007f',
];

/** Sends a call as text, because an object literal can't hold `__proto__` as a key of its own. */
async function callText(worker: RawWorker, functionId: string, data: string): Promise<Frame> {
  const id = randomUUID();
  worker.sendText(`{"type":"invokefunction","invocation_id":"${id}","function_id":"${functionId}","data":${data}}`);
  return worker.take('invocationresult', (frame) => frame.invocation_id === id);
}

const unpolluted = () => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Frame).polluted).toBeUndefined();
};
afterEach(unpolluted);

it.each([false, true])('S28 names of prototypes are plain data everywhere (LMDB: %s)', async (lmdb) => {
  const { workerUrl, streamUrl } = await startTestEngine({ lmdb });
  const worker = await RawWorker.connect(workerUrl);
  for (const name of NAMES) {
    const key = JSON.stringify(name);
    const value = `{${key}:{"polluted":true},"in":[{${key}:{"polluted":true}}]}`;
    const item = `"stream_name":${key},"group_id":${key},"item_id":${key}`;
    expect((await callText(worker, 'stream::set', `{${item},"data":${value}}`)).error).toBeUndefined();
    expect(JSON.stringify((await callText(worker, 'stream::get', `{${item}}`)).result)).toBe(value);
    const place = `"scope":${key},"key":${key}`;
    expect((await callText(worker, 'state::set', `{${place},"value":${value}}`)).error).toBeUndefined();
    expect(JSON.stringify((await callText(worker, 'state::get', `{${place}}`)).result)).toBe(value);
    // As a value below a path the name is data. As a path it is refused when JavaScript gives it a meaning.
    const set = await callText(worker, 'state::update', `{${place},"ops":[{"type":"set","path":"x","value":${value}}]}`);
    expect(JSON.stringify((set.result as { new_value: Frame }).new_value.x)).toBe(value);
    const path = await callText(worker, 'state::update', `{${place},"ops":[{"type":"merge","path":["y",${key}],"value":{"polluted":1}}]}`);
    const refused = ['__proto__', 'constructor', 'prototype'].includes(name);
    expect(Object.hasOwn(path.result as object, 'errors')).toBe(refused);
    // The name is also a key beside the known ones, and a name of functions, triggers, topics and metadata.
    expect((await callText(worker, 'state::get', `{${place},${key}:{"polluted":true}}`)).error).toBeUndefined();
    await worker.serve(name, (data) => data);
    expect(JSON.stringify((await callText(worker, name, value)).result)).toContain(value.slice(1, -1));
    worker.sendText(
      `{"type":"registertrigger","id":${key},"trigger_type":"stream","function_id":"f","config":{${key}:1},"metadata":${value}}`,
    );
    expect((await callText(worker, 'publish', `{"topic":${key},"data":${value}}`)).error).toBeUndefined();
    const watcher = await StreamSocket.open(`${streamUrl}/stream/${name}/${name}`);
    expect(JSON.stringify(((await watcher.take('sync')).event as Frame).data)).toBe(`[${value}]`);
    unpolluted();
  }
  expect(await worker.result('stream::list_all', {})).toMatchObject({ count: NAMES.length });
  expect(await worker.errorCode('engine::functions::info', { function_id: '__proto__x' })).toBe('NOT_FOUND');
});

it.each([false, true])('S31 ids are kept apart whatever they contain, also in the address of a stream (LMDB: %s)', async (lmdb) => {
  const { workerUrl, streamUrl } = await startTestEngine({ lmdb });
  const worker = await RawWorker.connect(workerUrl);
  const ids = AWKWARD.filter((id) => id !== '\u007f');
  for (const stream of ids) {
    for (const group of ids) {
      const at = { stream_name: stream, group_id: group };
      worker.send({
        type: 'invokefunction',
        function_id: 'stream::set',
        data: { ...at, item_id: group, data: [stream, group] },
        action: { type: 'void' },
      });
      worker.send({
        type: 'invokefunction',
        function_id: 'state::set',
        data: { scope: stream, key: group, value: [stream, group] },
        action: { type: 'void' },
      });
    }
  }
  const { stream: listed } = (await worker.result('stream::list_all', {})) as { stream: { id: string; groups: string[] }[] };
  expect(listed.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  for (const { groups } of listed) expect(groups.toSorted()).toEqual(ids.toSorted());
  const pairs = ids.flatMap((stream) => ids.map((group) => [stream, group] as const));
  const lists = pairs.map(([stream, group]) => worker.result('stream::list', { stream_name: stream, group_id: group }));
  expect(await Promise.all(lists)).toEqual(pairs.map((pair) => [pair]));
  const values = pairs.map(([scope, key]) => worker.result('state::get', { scope, key }));
  expect(await Promise.all(values)).toEqual(pairs);
  for (const id of ids.filter((each) => each !== '' && each !== '..' && each !== '.')) {
    const watcher = await StreamSocket.open(`${streamUrl}/stream/${encodeURIComponent(id)}/${encodeURIComponent(id)}`);
    expect(await watcher.take('sync')).toMatchObject({ streamName: id, groupId: id, event: { data: [[id, id]] } });
  }
});

it.each(['stream_name', 'group_id', 'item_id', 'scope', 'key', 'id', 'idempotency_key', 'after'])(
  'S31 %s is checked once, at the edge',
  async (field) => {
    const { workerUrl } = await startTestEngine();
    const worker = await RawWorker.connect(workerUrl);
    const item = { stream_name: 's', group_id: 'g', item_id: 'i', data: 1 };
    const [id, input] =
      field === 'scope' || field === 'key'
        ? ['state::set', { scope: 's', key: 'k', value: 1 }]
        : field === 'id'
          ? ['stream::send', { stream_name: 's', group_id: 'g', data: 1 }]
          : field === 'after'
            ? ['stream::list', { stream_name: 's', group_id: 'g' }]
            : ['stream::set', item];
    for (const wrong of ['\u0000', 'a\nb', '\ud800', 'x'.repeat(257), 'é'.repeat(129)]) {
      const code = await worker.errorCode(id as string, { ...(input as Frame), [field]: wrong });
      expect([field, ['INVALID_ID', 'INVALID_ARGUMENTS'].includes(String(code))]).toEqual([field, true]);
    }
    expect(await worker.result('stream::list_all', {})).toEqual({ stream: [], count: 0 });
  },
);
