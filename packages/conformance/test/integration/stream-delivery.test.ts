import { connect } from 'node:net';
import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { type StreamFrame, StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, onTestFinished, test } from 'vitest';

const room = { stream_name: 'chat', group_id: 'room-1' };

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  const set = (item_id: string, data: unknown, group_id = 'room-1') =>
    worker.result('stream::set', { stream_name: 'chat', group_id, item_id, data });
  return { ...started, worker, set };
}

test('ST-3 RV-1 RV-2 frames have exactly the documented keys', async () => {
  const { worker, set, streamUrl } = await start();
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  await set('m1', { id: 'm1' });
  await worker.result('stream::send', { ...room, type: 'typing', data: {} });
  await watcher.take('event');
  for (const frame of watcher.inbox.all) {
    const position = frame.event.type === 'sync' ? ['ids', 'created', 'offset', 'epoch'] : ['offset'];
    expect(Object.keys(frame)).toEqual(['type', 'timestamp', 'streamName', 'groupId', 'id', 'event', ...position]);
    expect(frame).toMatchObject({ type: 'stream', streamName: 'chat', groupId: 'room-1' });
    expect(Number.isInteger(frame.timestamp)).toBe(true);
    expect(Math.abs(frame.timestamp - Date.now())).toBeLessThan(60_000);
  }
  expect(watcher.inbox.all.map((frame) => frame.id)).toEqual([null, 'm1', null]);
});

describe.each([{ lmdb: false }, { lmdb: true }])('joins (lmdb: $lmdb)', ({ lmdb }) => {
  test('ST-4 a group join gets its sync, then live changes with the old value on delete', async () => {
    const { worker, set, streamUrl } = await start({ lmdb });
    await set('m1', { id: 'm1', n: 1 });
    const watcher = await StreamSocket.open(streamUrl);
    watcher.join('s1', 'chat', 'room-1');
    expect((await watcher.take('sync')).event.data).toEqual([{ id: 'm1', n: 1 }]);
    await set('m2', { id: 'm2' });
    await set('m1', { id: 'm1', n: 2 });
    await worker.result('stream::delete', { ...room, item_id: 'm1' });
    expect((await watcher.take('create')).event.data).toEqual({ id: 'm2' });
    expect((await watcher.take('update')).event.data).toEqual({ id: 'm1', n: 2 });
    expect((await watcher.take('delete')).event.data).toEqual({ id: 'm1', n: 2 });
    const stamps = watcher.inbox.all.map((frame) => frame.timestamp);
    expect(stamps).toEqual([...new Set(stamps)].sort((a, b) => a - b));
  });

  test('ST-4 an item join gets the value or null, then only its own changes', async () => {
    const { worker, set, streamUrl } = await start({ lmdb });
    const watcher = await StreamSocket.open(streamUrl);
    watcher.join('s1', 'chat', 'room-1', 'm1');
    expect(await watcher.take('sync')).toMatchObject({ id: 'm1', event: { type: 'sync', data: null } });
    await set('m2', { id: 'm2' });
    await set('m1', { id: 'm1' });
    await worker.result('stream::send', { ...room, type: 'all', data: 1 });
    await worker.result('stream::send', { ...room, type: 'mine', id: 'm1', data: 1 });
    await watcher.take('event');
    expect(watcher.kinds()).toEqual(['sync', 'create', 'event']);
    const late = await StreamSocket.open(streamUrl);
    late.join('s2', 'chat', 'room-1', 'm1');
    expect((await late.take('sync')).event.data).toEqual({ id: 'm1' });
  });

  test('ST-6 a joiner under full write load sees the snapshot first and then every change once', async () => {
    const { worker, streamUrl } = await start({ lmdb });
    let writing = true;
    let written = 0;
    const writer = (async () => {
      while (writing) {
        const burst = Array.from({ length: 16 }, () =>
          worker.result('stream::set', { ...room, item_id: `m${written % 7}`, data: { id: `m${written % 7}`, n: ++written } }),
        );
        await Promise.all(burst);
      }
    })();
    for (let round = 0; round < 100; round++) {
      const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
      await watcher.inbox.take((frame) => frame.event.type !== 'sync' && (frame.event.data as { n: number }).n > written - 1);
      const [sync, ...live] = watcher.inbox.all as [StreamFrame, ...StreamFrame[]];
      expect(sync.event.type).toBe('sync');
      const seen = (sync.event.data as { n: number }[]).map((value) => value.n);
      let last = Math.max(0, ...seen);
      for (const frame of live) {
        expect(frame.event.type).not.toBe('sync');
        const { n } = frame.event.data as { n: number };
        expect(n).toBe(last + 1);
        last = n;
      }
      watcher.socket.terminate();
    }
    writing = false;
    await writer;
  });
});

test('ST-5 a hundred writes to one item arrive in order with growing timestamps', async () => {
  const { worker, streamUrl } = await start();
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s1', 'chat', 'room-1', 'm1');
  await watcher.take('sync');
  await Promise.all(Array.from({ length: 100 }, (_, n) => worker.result('stream::set', { ...room, item_id: 'm1', data: { id: 'm1', n } })));
  await watcher.inbox.take((frame) => (frame.event.data as { n?: number } | null)?.n === 99);
  const frames = watcher.inbox.all.slice(1);
  expect(frames.map((frame) => (frame.event.data as { n: number }).n)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  const stamps = frames.map((frame) => frame.timestamp);
  expect(stamps).toEqual([...new Set(stamps)].sort((a, b) => a - b));
});

test('ST-7 a socket with a group and an item subscription gets each change once', async () => {
  const { set, streamUrl } = await start();
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  watcher.join('s1', 'chat', 'room-1', 'm1');
  watcher.join('s2', 'chat', 'room-1');
  watcher.join('s3', 'chat', 'room-1', 'm2');
  for (let n = 0; n < 4; n++) await watcher.take('sync');
  await set('m1', { id: 'm1' });
  await set('m2', { id: 'm2' });
  await set('m3', { id: 'm3' });
  await watcher.take('create', (frame) => frame.id === 'm3');
  expect(watcher.kinds().filter((kind) => kind === 'create')).toHaveLength(3);
  watcher.leave('s2', 'chat', 'room-1');
  await watcher.settled();
  await set('m4', { id: 'm4' });
  await watcher.take('create', (frame) => frame.id === 'm4');
});

test('a socket that watches several items gets the changes of each once, in order', async () => {
  const { set, streamUrl } = await start();
  const watcher = await StreamSocket.open(streamUrl);
  for (const id of ['a', 'b', 'c']) watcher.join(id, 'chat', 'room-1', id);
  for (let n = 0; n < 3; n++) await watcher.take('sync');
  await Promise.all(['a', 'x', 'b', 'c', 'a', 'y', 'b'].map((id, n) => set(id, { id, n })));
  await watcher.inbox.take((frame) => (frame.event.data as { n?: number } | null)?.n === 6);
  expect(watcher.inbox.all.slice(3).map((frame) => (frame.event.data as { n: number }).n)).toEqual([0, 2, 3, 4, 6]);
});

test('ST-8 the path form joins by itself, percent-decoded; the root waits for a join; other paths are 404', async () => {
  const { set, streamUrl } = await start();
  await set('m1', { id: 'm1' }, 'räum/1 %');
  for (const path of ['/stream/chat/r%C3%A4um%2F1%20%25', '/stream/chat/r%C3%A4um%2F1%20%25/']) {
    const watcher = await StreamSocket.open(streamUrl + path);
    expect((await watcher.take('sync')).event.data).toEqual([{ id: 'm1' }]);
  }
  const item = await StreamSocket.open(`${streamUrl}/stream/chat/r%C3%A4um%2F1%20%25/m1`);
  expect((await item.take('sync')).event.data).toEqual({ id: 'm1' });
  const root = await StreamSocket.open(`${streamUrl}/`);
  await root.settled();
  expect(root.inbox.all).toEqual([]);
  for (const path of ['/other', '/stream', '/stream/chat', '/stream//x', '/stream/a/b/c/d']) {
    await expect(StreamSocket.open(streamUrl + path)).rejects.toThrow('HTTP 404');
  }
  await expect(StreamSocket.open(`${streamUrl}/stream/a%zz/b`)).rejects.toThrow('HTTP 400');
});

test('ST-15 the same subscription id again replaces the first; a second join gets its own sync', async () => {
  const { worker, set, streamUrl } = await start();
  const left: unknown[] = [];
  await worker.serve('app::left', (data) => void left.push(data));
  await worker.bind('stream:leave', 'app::left', {});
  const watcher = await StreamSocket.open(streamUrl);
  watcher.join('s1', 'chat', 'room-1');
  await watcher.take('sync');
  watcher.join('s1', 'chat', 'room-1');
  await watcher.take('sync');
  watcher.join('s1', 'chat', 'room-2');
  await watcher.take('sync', (frame) => frame.groupId === 'room-2');
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::left');
  expect(left).toMatchObject([{ subscription_id: 's1', group_id: 'room-1' }]);
  await set('m1', { id: 'm1' }, 'room-1');
  await set('m2', { id: 'm2' }, 'room-2');
  await watcher.take('create');
  expect(watcher.inbox.all.filter((frame) => frame.event.type === 'create').map((frame) => frame.id)).toEqual(['m2']);
});

test('ST-21 a change looks at the subscriptions of its own group only', async () => {
  const { engine, set, streamUrl } = await start({ stream: { maxSubscriptionsPerConnection: 5_000 } });
  const idle = await StreamSocket.open(streamUrl);
  for (let n = 0; n < 2_000; n++) idle.join(`s${n}`, 'chat', `other-${n}`);
  await idle.take('sync', (frame) => frame.groupId === 'other-1999');
  const watchers = await Promise.all([1, 2, 3].map(() => StreamSocket.open(`${streamUrl}/stream/chat/room-1`)));
  for (const watcher of watchers) await watcher.take('sync');
  const before = engine.figures();
  for (let n = 0; n < 50; n++) await set('m1', { id: 'm1', n });
  for (const watcher of watchers) await watcher.inbox.take((frame) => (frame.event.data as { n?: number }).n === 49);
  const after = engine.figures();
  expect(after.visited - before.visited).toBe(3 * (after.flushes - before.flushes));
  expect(after.appended - before.appended).toBe(50);
});

test('ST-20 a client that never reads delays nobody, owns little, stays connected and catches up', async () => {
  const { engine, worker, set, streamUrl } = await start();
  const stalled = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  await stalled.take('sync');
  stalled.socket.pause();
  const reader = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  const text = 'x'.repeat(20_000);
  for (let n = 0; n < 600; n++) await set(`m${n % 10}`, { id: `m${n % 10}`, n, text });
  await reader.inbox.take((frame) => (frame.event.data as { n?: number }).n === 599);
  const { largestSessionBytes, sessions } = engine.figures();
  expect(largestSessionBytes).toBeLessThanOrEqual(256 * 1024);
  expect(sessions).toBe(2);
  stalled.socket.resume();
  await stalled.inbox.take((frame) => (frame.event.data as { n?: number }).n === 599);
  const seen = stalled.inbox.all.slice(1).map((frame) => (frame.event.data as { n: number }).n);
  expect(seen).toEqual(Array.from({ length: 600 }, (_, n) => n));
  expect(await worker.result('stream::list', room)).toHaveLength(10);
});

test('ST-20 a reader that fell out of the log gets one sync and goes on live', async () => {
  const { engine, set, streamUrl } = await start({ stream: { logMaxChanges: 20 } });
  const stalled = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  await stalled.take('sync');
  stalled.socket.pause();
  const text = 'x'.repeat(50_000);
  for (let n = 0; n < 300; n++) await set(`m${n % 5}`, { id: `m${n % 5}`, n, text });
  stalled.socket.resume();
  const sync = await stalled.take('sync');
  expect((sync.event.data as { n: number }[]).map((value) => value.n).sort((a, b) => a - b)).toEqual([295, 296, 297, 298, 299]);
  await set('last', { id: 'last', n: 300 });
  await stalled.inbox.take((frame) => (frame.event.data as { n?: number }).n === 300);
  expect(engine.figures().resynced).toBe(1);
});

test('a large group arrives as one sync message, in order of creation', async () => {
  const { worker, streamUrl } = await start({ lmdb: true });
  const text = 'y'.repeat(500);
  await Promise.all(
    Array.from({ length: 3_000 }, (_, n) => worker.result('stream::set', { ...room, item_id: `m${n}`, data: { id: `m${n}`, n, text } })),
  );
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  const sync = await watcher.take('sync');
  expect((sync.event.data as { n: number }[]).map((value) => value.n)).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
  await worker.result('stream::send', { ...room, type: 'after', data: null });
  await watcher.take('event');
  expect(watcher.kinds()).toEqual(['sync', 'event']);
});

test('ST-25 invalid frames never close a stream socket; an oversized one closes only its own', async () => {
  const { set, streamUrl } = await start();
  const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  await watcher.take('sync');
  const bad = [
    '',
    '   ',
    '{',
    'null',
    '[]',
    '"x"',
    '{}',
    '{"type":"join"}',
    '{"type":"join","data":[]}',
    deep,
    '{"type":"__proto__","data":{}}',
  ];
  bad.push('{"type":"join","data":{"subscriptionId":7,"streamName":"a","groupId":"b"}}');
  bad.push('{"type":"join","data":{"subscriptionId":"s","streamName":"a\\u0000","groupId":"b"}}');
  bad.push('{"__proto__":{"type":"join"},"data":{"subscriptionId":"s","streamName":"a","groupId":"b"}}');
  for (const text of bad) {
    watcher.socket.send(text);
    watcher.socket.send(Buffer.from(text));
  }
  watcher.socket.send(Buffer.from([0xff, 0xfe]));
  const offender = await StreamSocket.open(streamUrl);
  offender.socket.send('x'.repeat(300_000));
  expect(await offender.closed).toBe(1009);
  await set('m1', { id: 'm1' });
  await watcher.take('create');
  expect(watcher.kinds()).toEqual(['sync', 'create']);
});

test('a text message that is not UTF-8 closes its connection with 1007', async () => {
  const { streamUrl } = await start();
  const watcher = await StreamSocket.open(streamUrl);
  const raw = (watcher.socket as unknown as { _socket: { write(data: Buffer): void } })._socket;
  raw.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]));
  expect(await watcher.closed).toBe(1007);
});

test('hostile upgrade heads are refused and the listener goes on', async () => {
  const { streamUrl } = await start();
  const { port } = new URL(streamUrl);
  const heads = [
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bad\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: b${' '.repeat(8_000)}x\r\n\r\n`,
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 300 }, (_, n) => `x-${n}: 1\r\n`).join('')}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    'NONSENSE\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  ];
  for (const head of heads) {
    const ended = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(head));
      onTestFinished(() => void socket.destroy());
      socket.on('data', () => {});
      socket.on('error', () => resolve(true));
      socket.on('close', () => resolve(true));
    });
    expect(ended).toBe(true);
  }
  const constructor = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`, [], {
    headers: { 'sec-websocket-extensions': 'constructor' },
  });
  await constructor.take('sync');
});

test('more subscriptions than a connection may hold are refused, the others go on', async () => {
  const { log, streamUrl } = await start({ stream: { maxSubscriptionsPerConnection: 3 } });
  const watcher = await StreamSocket.open(streamUrl);
  for (let n = 0; n < 5; n++) watcher.join(`s${n}`, 'chat', `g${n}`);
  for (let n = 0; n < 3; n++) await watcher.take('sync');
  await watcher.settled();
  expect(watcher.inbox.all).toHaveLength(3);
  expect(log.filter((line) => line.fields.code === 'TOO_MANY_SUBSCRIPTIONS')).toHaveLength(2);
});
