import { connect } from 'node:net';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const TOKEN = 'a-secret-of-the-workers';

const outcome = (connecting: Promise<unknown>) =>
  connecting.then(
    () => 'open',
    (error: Error) => error.message,
  );

/** Returns the status line for an upgrade with exactly these header lines. */
function statusOf(url: string, path: string, headers: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const fixed = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='];
    socket.write([`GET ${path} HTTP/1.1`, ...headers, ...fixed, '', ''].join('\r\n'));
    socket.on('error', reject);
    socket.once('data', (data) => {
      resolve(data.toString('latin1').split(' ')[1] ?? '');
      socket.destroy();
    });
  });
}

test('D2 a page that rebound its name to this machine does not reach the trusted worker port', async () => {
  const { engine, workerUrl, guestUrl, streamUrl, log } = await startTestEngine({
    guest: {},
    worker: { allowedHosts: ['engine.internal'] },
  });
  const { port } = new URL(workerUrl);
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, 'app.localhost', '[::1]:1', 'ENGINE.internal:80'])
    expect(await statusOf(workerUrl, '/', [`Host: ${host}`])).toBe('101');
  for (const headers of [['Host: evil.example'], [`Host: evil.example:${port}`], [], ['Host: localhost', 'Host: evil.example']])
    expect(await statusOf(workerUrl, '/', headers)).toBe('403');
  expect(await statusOf(workerUrl, '/otel', ['Host: evil.example'])).toBe('403');
  const refusals = log.filter(({ event }) => event === 'host_refused');
  expect(refusals).toMatchObject([{ level: 'warn', fields: { listener: 'worker', host: 'evil.example', times: 1 } }]);
  expect(engine.figures().events).toMatchObject({ host_refused: 5 });
  // Proxies on this machine pass on the public name.
  expect(await statusOf(guestUrl, '/', ['Host: app.example'])).toBe('101');
  expect(await statusOf(streamUrl, '/', ['Host: app.example'])).toBe('101');
});

test('D2 every listener checks Host when allowed_hosts is set', async () => {
  const allowedHosts = ['app.example'];
  const { guestUrl, streamUrl, httpUrl } = await startTestEngine({
    guest: { manager: { allowedHosts } },
    stream: { allowedHosts },
    http: { allowedHosts },
  });
  for (const url of [guestUrl, streamUrl]) {
    expect(await statusOf(url, '/', ['Host: app.example'])).toBe('101');
    expect(await statusOf(url, '/', ['Host: evil.example'])).toBe('403');
  }
  expect(await statusOf(httpUrl, '/', ['Host: evil.example'])).toBe('403');
  expect((await fetch(`${httpUrl}/nothing`)).status).toBe(404);
});

test('D2 pages reach the trusted worker port from loopback over http and https, and from allowed origins only', async () => {
  const { workerUrl } = await startTestEngine({ worker: { allowedOrigins: ['https://app.example'] } });
  const from = (origin: string) => outcome(RawWorker.connect(workerUrl, { headers: { origin } }));
  for (const origin of ['http://localhost:5173', 'https://127.0.0.1', 'http://[::1]:1', 'https://app.example'])
    expect(await from(origin)).toBe('open');
  for (const origin of [
    'null',
    'file://localhost',
    'ftp://localhost',
    'https://app.example.evil',
    'https://app.example:444',
    'http://app.example',
  ])
    expect(await from(origin)).toBe('HTTP 403');
});

test('D1 auth_token lets in workers that send it, in a header or in the query', async () => {
  const { engine, workerUrl, log } = await startTestEngine({ worker: { authToken: TOKEN } });
  const upgradeWith = (query: string, authorization?: string) =>
    outcome(RawWorker.connect(workerUrl + query, authorization === undefined ? {} : { headers: { authorization } }));
  expect(await upgradeWith('', `Bearer ${TOKEN}`)).toBe('open');
  expect(await upgradeWith(`/?auth_token=${TOKEN}`)).toBe('open');
  expect(await upgradeWith(`?x=1&auth_token=${TOKEN}`)).toBe('open');
  expect(await upgradeWith('')).toBe('HTTP 401');
  expect(await upgradeWith('?auth_token=wrong-secret')).toBe('HTTP 401');
  expect(await upgradeWith(`?auth_token=${TOKEN}`, 'Bearer wrong-secret')).toBe('HTTP 401');
  expect(await upgradeWith('?auth_token=', `Bearer ${TOKEN}x`)).toBe('HTTP 401');
  const refusals = log.filter(({ event }) => event === 'worker_token_refused');
  expect(refusals).toMatchObject([{ level: 'warn', fields: { reason: 'missing', address: '127.0.0.1', times: 1 } }]);
  expect(engine.figures().events).toMatchObject({ upgrade_refused_401: 4 });
  expect(JSON.stringify(log)).not.toMatch(/secret/);
});

test('D1 channels and telemetry do not ask for the token', async () => {
  const { workerUrl } = await startTestEngine({ worker: { authToken: TOKEN } });
  expect(await outcome(StreamSocket.open(`${workerUrl}/otel`))).toBe('open');
  const worker = await RawWorker.connect(`${workerUrl}?auth_token=${TOKEN}`);
  const channel = (await worker.result('engine::channels::create', {})) as Record<string, { channel_id: string; access_key: string }>;
  const { channel_id: id, access_key: key } = channel['writer'] ?? { channel_id: '', access_key: '' };
  expect(await outcome(StreamSocket.open(`${workerUrl}/ws/channels/${id}?key=${key}&dir=write`))).toBe('open');
  expect(await outcome(StreamSocket.open(`${workerUrl}/ws/channels/${id}?key=wrong&dir=write`))).toBe('HTTP 404');
});
