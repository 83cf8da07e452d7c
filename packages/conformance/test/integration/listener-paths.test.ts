import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const plain = (url: string, init: RequestInit = {}) => fetch(url.replace('ws:', 'http:'), init);

test('C4 GET / names the listener to pages of any origin, and nothing more', async () => {
  const { streamUrl, workerUrl, guestUrl } = await startTestEngine({ guest: {} });
  for (const [url, listener, status] of [
    [streamUrl, 'stream', 200],
    [workerUrl, 'worker', 426],
    [guestUrl, 'guest', 426],
  ] as const) {
    const answer = await plain(`${url}/?x=1`, { headers: { origin: 'https://app.example' } });
    expect([answer.status, await answer.json()]).toEqual([status, { listener, engine: 'rivulet' }]);
    const shown = ['access-control-allow-origin', 'x-content-type-options', 'cache-control', 'content-type'].map((name) =>
      answer.headers.get(name),
    );
    expect(shown).toEqual(['*', 'nosniff', 'no-store', 'application/json']);
    expect(['server', 'x-powered-by'].map((name) => answer.headers.get(name))).toEqual([null, null]);
  }
});

test('C4 every other plain request stays 426, also an upgrade whose Upgrade header was dropped on its way', async () => {
  const { streamUrl } = await startTestEngine();
  const others = [
    plain(`${streamUrl}/streams/chat/room`),
    plain(`${streamUrl}/stream/chat/room`, { method: 'POST' }),
    plain(`${streamUrl}//`),
    plain(streamUrl, { method: 'POST' }),
    plain(streamUrl, { method: 'HEAD' }),
    plain(streamUrl, { headers: { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } }),
  ];
  for (const answer of await Promise.all(others)) {
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([426, null]);
    await answer.text();
  }
});

test('C14 behind a proxy that does not strip its prefix, streams are below path_prefix, and still without it', async () => {
  const { streamUrl, workerUrl } = await startTestEngine({ stream: { pathPrefix: '/rt/v1', authFunction: 'app::auth' } });
  const paths: unknown[] = [];
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::auth', (data) => {
    paths.push((data as { path: unknown }).path);
    return { context: null };
  });
  for (const path of ['/rt/v1/stream/chat/room', '/stream/chat/room']) await (await StreamSocket.open(streamUrl + path)).take('sync');
  for (const path of ['/rt/v1', '/rt/v1/', '/']) {
    const client = await StreamSocket.open(streamUrl + path);
    client.join('s', 'chat', 'room');
    await client.take('sync');
    const answer = await plain(streamUrl + path);
    expect(await answer.json()).toMatchObject({ listener: 'stream' });
  }
  expect(paths).toEqual(['/stream/chat/room', '/stream/chat/room', '', '/', '/']);
  for (const path of ['/rt', '/rt/v1x', '/rt/v1x/stream/chat/room', '/rt/v1/rt/v1/stream/chat/room', '/RT/V1/stream/chat/room'])
    await expect(StreamSocket.open(streamUrl + path)).rejects.toThrow('HTTP 404');
});
