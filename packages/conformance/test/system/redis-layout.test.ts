import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { changesOf, ROOM, ROOM_PATH, startNode, startPair, watchRoom } from '@rivulet/testkit/redis/redis-nodes';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** A snapshot of a Redis by the first version with this layout. Its keys begin with `layout-1`, and one item is overdue by now. */
const FIRST = gunzipSync(readFileSync(new URL('../fixtures/redis-layout-1.rdb.gz', import.meta.url)));

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start(undefined, FIRST);
});
afterAll(() => server.dispose());

test('F46 data of the first version of the layout is read, goes on, and expires in time', async () => {
  const rename = `for _, key in ipairs(redis.call('KEYS', 'layout-1:*')) do redis.call('RENAME', key, 'old:streams' .. string.sub(key, 9)) end`;
  server.command('EVAL', rename, '0');
  const node = await startNode(server, 'old');
  const list = (ref: object) => node.worker.result('stream::list', ref);
  const client = await StreamSocket.open(`${node.streamUrl}${ROOM_PATH}`);
  const items = [{ id: 'm1', n: 2 }, 'ümlaut ☃', [1, null], 5, 6];
  const shown = (await client.take('sync')).event.data;
  if (JSON.stringify(shown) === JSON.stringify(items)) await client.take('delete', ({ id }) => id === 'm3');
  const left = items.filter((item) => item !== 'ümlaut ☃');
  expect(await list(ROOM)).toEqual(left);
  expect(await list({ stream_name: 'chat', group_id: 'gone' })).toEqual([]);
  expect(await list({ stream_name: 'with:colon*', group_id: 'g ☃' })).toEqual([{}]);
  expect(await node.worker.result('stream::list_groups', { stream_name: 'chat' })).toEqual(['room']);
  await node.set('m1', { id: 'm1', n: 3 });
  await node.set('m2', { id: 'm2' });
  await client.take('create', ({ id }) => id === 'm2');
  expect(
    changesOf(client)
      .filter(({ id }) => id !== 'm3')
      .map(({ id, event }) => [id, event.type]),
  ).toEqual([
    ['m1', 'update'],
    ['m2', 'create'],
  ]);
  expect(await list(ROOM)).toEqual([{ id: 'm1', n: 3 }, ...left.slice(1), { id: 'm2' }]);
});

test('F46 an engine does not touch keys of a version with another layout', async () => {
  const prefix = `test-${randomUUID()}`;
  server.command('SET', `${prefix}:streams:layout`, '2');
  await expect(startNode(server, prefix)).rejects.toThrow(/layout 2.*key_prefix/);
  expect(server.command('KEYS', `${prefix}:streams:*`)).toBe(`${prefix}:streams:layout`);
});

test('F46 fields that a later version adds are ignored', async () => {
  const [a, b] = await startPair(server);
  const client = await watchRoom(b);
  await a.set('m1', { n: 1 });
  await client.take('create');
  const [channel = ''] = server.command('PUBSUB', 'CHANNELS', '*:commits:chat:room').split('\n');
  const text = server.command('LRANGE', channel.replace(/\{(\d+)\}:commits:/, '{$1}:log:'), '0', '-1');
  // The message has the next offset, and an unknown field at the end of each line.
  const [, epoch = ''] = text.split(' ');
  server.command('PUBLISH', channel, `someone ${epoch} 1 2 1 later\nupdate 2 1 9999999999999 0 2 7 -1 0 later\nm1{"n":2}`);
  const { event, id, offset } = await client.take('update');
  expect([id, offset, event.data]).toEqual(['m1', 2, { n: 2 }]);
});
