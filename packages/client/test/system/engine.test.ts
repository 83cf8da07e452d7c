import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { connect, type StreamClient } from '../../src/index.js';
import { texts, ViewLog, whenView } from '../watch.js';

interface Tapped {
  readonly client: StreamClient;
  /** The types of the received frames, with the mode of a `resumed` and the part of a `sync`. */
  readonly frames: string[];
  /** Ends the connection. The client can connect again after `open`. */
  readonly cut: () => { open(): void };
}

/** Returns a client of the real engine. The test can cut its connection. */
function tap(url: string): Tapped {
  const frames: string[] = [];
  let gate = Promise.resolve();
  const sockets: WebSocket[] = [];
  class TappedSocket extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      sockets.push(this);
      this.on('message', (data: Buffer) => frames.push(describeFrame(data.toString())));
    }
  }
  const client = connect(url, { WebSocket: TappedSocket, getToken: () => gate.then(() => undefined), runtime: { random: () => 0 } });
  onTestFinished(() => client.close());
  const cut = () => {
    let open = () => {};
    gate = new Promise((resolve) => {
      open = resolve;
    });
    sockets.at(-1)?.terminate();
    return { open };
  };
  return { client, frames, cut };
}

function describeFrame(text: string): string {
  const frame = JSON.parse(text) as { type: string; data?: { mode?: string }; event?: { type: string }; part?: number };
  if (frame.type !== 'stream') return frame.data?.mode === undefined ? frame.type : `${frame.type} ${frame.data.mode}`;
  return frame.part === undefined ? `${frame.event?.type}` : `${frame.event?.type} ${frame.part}`;
}

async function writer(engine: EngineProcess) {
  const worker = await RawWorker.connect(engine.workerUrl);
  const call = async (id: string, item: Readonly<Record<string, unknown>>) => {
    const answer = await worker.call(id, { stream_name: 'chat', group_id: 'r1', ...item });
    expect(answer.error).toBeUndefined();
  };
  return {
    set: (item_id: string, text: string) => call('stream::set', { item_id, data: { id: item_id, text } }),
    remove: (item_id: string) => call('stream::delete', { item_id }),
    say: (type: string) => call('stream::send', { type, data: null }),
  };
}

it('RV-6 a client of the real engine that was cut off gets the tail, and nothing twice', async () => {
  const engine = await EngineProcess.start();
  const writing = await writer(engine);
  await writing.set('m1', 'one');
  const { client, frames, cut } = tap(engine.streamUrl);
  const log = new ViewLog();
  const view = client.subscribeGroup<{ id: string; text: string }>('chat', 'r1', log.listeners);
  await view.whenLive();
  await writing.set('m2', 'two');
  await log.until(2);
  const line = cut();
  await whenView(view, ({ status }) => status === 'stale');
  await writing.set('m1', 'ONE');
  await writing.say('typing');
  await writing.remove('m2');
  line.open();
  await log.until(5);
  expect(log.lines.map((text) => text.replace(/^\d+ /, ''))).toEqual([
    expect.stringMatching(/^reset first/),
    'create m2 two',
    'update m1 one>ONE',
    'event typing null',
    'delete m2 two',
  ]);
  expect([texts(view), view.status]).toEqual([['m1:ONE'], 'live']);
  expect(frames).toContain('resumed tail');
  expect([frames.filter((frame) => frame === 'sync'), client.counters.holes]).toEqual([['sync'], 0]);
});

it('RV-7 a client of the real engine that was killed meanwhile gets what changed, no snapshot', async () => {
  const engine = await EngineProcess.start();
  let writing = await writer(engine);
  for (const id of ['a', 'b', 'c', 'd']) await writing.set(id, '1');
  const { client, frames, cut } = tap(engine.streamUrl);
  const log = new ViewLog();
  const view = client.subscribeGroup<{ id: string; text: string }>('chat', 'r1', log.listeners);
  const item = client.subscribeItem<{ id: string; text: string }>('chat', 'r1', 'b');
  await Promise.all([view.whenLive(), item.whenLive()]);
  const before = view.position;
  const line = cut();
  await whenView(view, ({ status }) => status === 'stale');
  await writing.set('b', '2');
  await writing.remove('a');
  await engine.kill();
  await engine.start();
  writing = await writer(engine);
  await writing.set('b', '3');
  await writing.remove('c');
  await writing.set('c', 'again');
  line.open();
  await Promise.all([whenView(view, ({ status }) => status === 'live'), whenView(item, ({ status }) => status === 'live')]);
  expect(texts(view)).toEqual(['b:3', 'd:1', 'c:again']);
  expect(item.item?.data.text).toBe('3');
  const lines = log.lines.slice(1).map((text) => text.replace(/^\d+ /, ''));
  expect(lines.slice(0, 3)).toEqual(['delete a 1', 'update b 1>3', 'update c 1>again']);
  expect(lines.slice(3).filter((line) => !line.startsWith('gap'))).toEqual([]);
  expect(view.position?.epoch).toBe(before?.epoch);
  expect(frames.filter((frame) => frame.startsWith('resumed'))).toEqual(['resumed changes', 'resumed changes']);
  await writing.set('e', 'live');
  await whenView(view, ({ size }) => size === 4);
  expect(client.counters.holes).toBe(0);
});

it('RV-11 a large group comes in parts, in the order of creation, and is followed from there', async () => {
  const engine = await EngineProcess.start();
  const writing = await writer(engine);
  const ids = Array.from({ length: 1_500 }, (_, at) => `m${(at * 7_919) % 1_500}`);
  for (let at = 0; at < ids.length; at += 250) await Promise.all(ids.slice(at, at + 250).map((id) => writing.set(id, 'x'.repeat(100))));
  const { client, frames } = tap(engine.streamUrl);
  const view = client.subscribeGroup<{ id: string; text: string }>('chat', 'r1');
  await view.whenLive();
  expect(frames.filter((frame) => frame.startsWith('sync')).slice(0, 3)).toEqual(['syncing', 'sync 0', 'sync 1']);
  expect(view.items.map(({ id }) => id)).toEqual(ids);
  await writing.set('last', 'one');
  await whenView(view, ({ size }) => size === ids.length + 1);
  expect([view.items.at(-1)?.id, client.counters.holes]).toEqual(['last', 0]);
});

it('RV-33 a batch of the real engine is shown in one step', async () => {
  const { streamUrl, workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const { client } = tap(streamUrl);
  const log = new ViewLog();
  const view = client.subscribeGroup<{ id: string; text: string }>('chat', 'r1', log.listeners);
  const item = client.subscribeItem<{ id: string; text: string }>('chat', 'r1', 'b');
  await Promise.all([view.whenLive(), item.whenLive()]);
  const seen: string[] = [];
  view.on({ onChange: () => void seen.push(texts(view).join()) });
  const writes = ['a', 'b', 'c'].map((id) => ({ type: 'set', item_id: id, data: { id, text: id } }));
  await worker.result('stream::batch', { stream_name: 'chat', group_id: 'r1', writes });
  await log.until(4);
  expect(seen).toEqual(Array.from({ length: 3 }, () => 'a:a,b:b,c:c'));
  await whenView(item, ({ item: now }) => now?.data.text === 'b');
  expect(client.counters.holes).toBe(0);
});

it('RV-41 RV-42 presence needs no code beyond a join function: the client is there while its view is, with its own data', async () => {
  const { streamUrl, workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::join', (join) =>
    // A client that watches one item gets no lease.
    (join as { id: unknown }).id === null ? { lease: { item_id: 'ann', data: { typing: false }, client_data: true } } : {},
  );
  await worker.bind('stream:join', 'app::join', { stream_name: 'presence' });
  const watcher = tap(streamUrl).client;
  const { client } = tap(streamUrl);
  const mine = client.subscribeGroup<{ typing: boolean }>('presence', 'room');
  mine.lease({ typing: true });
  const seen = watcher.subscribeItem<{ typing: boolean }>('presence', 'room', 'ann');
  await whenView(seen, ({ item }) => item?.data.typing === true);
  mine.lease({ typing: false });
  await whenView(seen, ({ item }) => item?.data.typing === false);
  expect(mine.error).toBeUndefined();
  mine.close();
  await whenView(seen, ({ item, status }) => item === undefined && status === 'live');
});

it('RV-14 RV-15 a token that expires is refreshed in-band, and the view stays where it is', async () => {
  const { streamUrl, workerUrl } = await startTestEngine({ stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  const tokens: unknown[] = [];
  await worker.serve('app::auth', (input) => {
    const { headers, query_params } = input as { headers: Record<string, string>; query_params: { token?: string[] } };
    const token = query_params.token?.[0] ?? headers['sec-websocket-protocol']?.split(',')[1]?.trim();
    tokens.push(token);
    return token === 'first' ? { expires_at_ms: Date.now() + 30_200 } : {};
  });
  let tokenCalls = 0;
  const client = connect(streamUrl, { WebSocket, getToken: () => (++tokenCalls === 1 ? 'first' : 'second') });
  onTestFinished(() => client.close());
  const view = client.subscribeGroup<{ id: string; text: string }>('chat', 'r1');
  await view.whenLive();
  await worker.take('invokefunction', ({ data }) => (data as { query_params: { token?: string[] } }).query_params.token?.[0] === 'second');
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'r1', item_id: 'm1', data: { id: 'm1', text: 'one' } });
  await whenView(view, ({ size }) => size === 1);
  expect([tokens, client.counters]).toEqual([['first', 'second'], { holes: 0, duplicates: 0, connections: 1 }]);
});
