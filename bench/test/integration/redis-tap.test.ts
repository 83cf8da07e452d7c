import { EventEmitter, once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createClient } from '@redis/client';
import { expect, onTestFinished, test } from 'vitest';
import { placesOf } from '../../src/load/clients/places.js';
import { RedisServer } from '../../src/servers/redis-server.js';
import { RedisTap } from '../../src/servers/redis-tap.js';
import { RespReader, type RespValue } from '../../src/servers/resp.js';

test('the tap passes on what both sides say, keeps the commands, and counts bytes and what was published', async () => {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.stop());
  const tap = await RedisTap.open(redis.port, { records: true });
  onTestFinished(() => tap.close());
  const [commands, messages] = [createClient({ url: tap.url }), createClient({ url: tap.url })];
  for (const client of [commands, messages]) {
    await client.connect();
    onTestFinished(() => client.destroy());
  }
  const heard: string[] = [];
  const ears = new EventEmitter();
  const three = once(ears, 'three');
  const hear = (text: string) => {
    if (heard.push(text) === 3) ears.emit('three');
  };
  await messages.subscribe('one', hear);
  await messages.pSubscribe('tw*', hear);
  const before = tap.counts();
  await commands.set('key', 'x'.repeat(100_000));
  expect(await commands.get('key')).toBe('x'.repeat(100_000));
  await commands.publish('one', 'a');
  await commands.publish('two', 'b');
  await commands.publish('one', 'c');
  await commands.publish('three', 'unheard');
  await three;
  expect(heard).toEqual(['a', 'b', 'c']);
  expect(tap.counts().messages - before.messages).toBe(3);
  const bytes = tap.counts().bytes - before.bytes;
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThan(101_000);
  expect(tap.commands).toContainEqual(['SET', 'key', 'x'.repeat(100_000)]);
  expect(tap.commands).toContainEqual(['PUBLISH', 'two', 'b']);
});

test('who is connected through the tap notices that Redis has gone', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.resume())).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const tap = await RedisTap.open(address.port);
  onTestFinished(() => tap.close());
  const client = createClient({ url: tap.url, socket: { reconnectStrategy: false } });
  client.on('error', () => {});
  const failed = client.connect();
  await once(server, 'connection');
  for (const socket of sockets) socket.destroy();
  await expect(failed).rejects.toThrow('closed unexpectedly');
});

test('values of the protocol are the same in whatever pieces they come', () => {
  const bytes = Buffer.from(
    '*2\r\n$3\r\nGET\r\n$5\r\na\r\nbc\r\n+OK\r\n:-12\r\n$-1\r\n_\r\n*0\r\n$0\r\n\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\u00e9\r\n%1\r\n+a\r\n:1\r\n-ERR no\r\n',
  );
  const values = [['GET', 'a\r\nbc'], 'OK', '-12', null, '', [], '', ['message', 'c', '\u00c3\u00a9'], ['a', '1'], 'ERR no'];
  expect(new RespReader().read(bytes)).toEqual(values);
  for (let cut = 1; cut < bytes.length; cut++) {
    const reader = new RespReader();
    const got: RespValue[] = [...reader.read(bytes.subarray(0, cut)), ...reader.read(bytes.subarray(cut))];
    expect([cut, got]).toEqual([cut, values]);
  }
  const slowly = new RespReader();
  expect([...bytes].flatMap((byte) => slowly.read(Buffer.from([byte])))).toEqual(values);
});

test('a round of writes meets each group once, those with neighbouring numbers far apart', () => {
  for (const groups of [20, 100, 256, 2_000, 100_000]) {
    const place = placesOf({ group: 'g', groups });
    expect(new Set(Array.from({ length: groups }, (_, call) => place(call + 1))).size).toBe(groups);
  }
  expect(placesOf({ group: 'g' })(7)).toBe('g');
});
