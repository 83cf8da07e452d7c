import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const room = '/stream/chat/room-1';

async function start(stream: NonNullable<TestEngineOptions['stream']>) {
  const started = await startTestEngine({ stream });
  const worker = await RawWorker.connect(started.workerUrl);
  return { ...started, worker };
}

test('ST-9 an offered Authorization is answered, the token reaches the auth function and is never echoed', async () => {
  const { worker, streamUrl } = await start({ authFunction: 'app::auth' });
  const seen: string[] = [];
  await worker.serve('app::auth', (data) => {
    const { headers } = data as { headers: Record<string, string> };
    seen.push(headers['sec-websocket-protocol'] ?? '');
    return seen.at(-1)?.includes('good') ? { context: { user: 'u1' } } : { unauthorized: true };
  });
  const allowed = await StreamSocket.open(streamUrl + room, ['Authorization', 'good-token']);
  expect(allowed.socket.protocol).toBe('Authorization');
  await allowed.take('sync');
  const refused = await StreamSocket.open(streamUrl + room, ['Authorization', 'bad-token']);
  expect(refused.socket.protocol).toBe('Authorization');
  expect(await refused.closed).toBe(1008);
  expect(refused.inbox.all).toEqual([]);
  expect(seen.map((header) => header.replace(/\s/g, ''))).toEqual(['Authorization,good-token', 'Authorization,bad-token']);
  const other = await StreamSocket.open(`${streamUrl}/?token=good`, ['graphql', 'x']).catch((error: unknown) => error);
  expect(other).toBeInstanceOf(StreamSocket);
});

test('ST-10 the auth function gets exactly headers, path, query_params and addr; its context reaches joins and leaves', async () => {
  const { worker, streamUrl } = await start({ authFunction: 'app::auth' });
  let input: Record<string, unknown> = {};
  const joined: unknown[] = [];
  await worker.serve('app::auth', (data) => {
    input = data as Record<string, unknown>;
    return { context: { user: 'u1' } };
  });
  await worker.serve('app::join', (data) => void joined.push(data));
  await worker.serve('app::leave', (data) => void joined.push(data));
  await worker.bind('stream:join', 'app::join', {});
  await worker.bind('stream:leave', 'app::leave', {});
  const watcher = await StreamSocket.open(`${streamUrl}${room}?tag=a&tag=b%20c&flag&=x&plus=a+b`, [], { headers: { 'X-One': '1' } });
  await watcher.take('sync');
  expect(Object.keys(input).sort()).toEqual(['addr', 'headers', 'path', 'query_params']);
  expect(input.path).toBe(room);
  expect(input.query_params).toEqual({ tag: ['a', 'b c'], flag: [''], plus: ['a+b'] });
  expect(input.addr).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(input.headers).toMatchObject({ 'x-one': '1', upgrade: 'websocket' });
  await watcher.close();
  await worker.take('invokefunction', (frame) => frame.function_id === 'app::leave');
  const event = { stream_name: 'chat', group_id: 'room-1', id: null, context: { user: 'u1' } };
  expect(joined).toMatchObject([event, event]);
  expect(Object.keys(joined[0] as object).sort()).toEqual(['context', 'group_id', 'id', 'stream_name', 'subscription_id']);
});

const HANGS = () => new Promise(() => {});

const failures: readonly [string, (() => unknown) | undefined, number, number][] = [
  ['is not registered', undefined, 1013, 503],
  [
    'throws',
    () => {
      throw new WorkerError({ code: 'invocation_failed', message: 'boom' });
    },
    1008,
    401,
  ],
  ['answers nothing', () => undefined, 1008, 401],
  ['answers null', () => null, 1008, 401],
  ['answers an array', () => [{ context: 1 }], 1008, 401],
  ['answers a string', () => 'yes', 1008, 401],
  ['says unauthorized', () => ({ unauthorized: true }), 1008, 401],
  ['hangs', HANGS, 1013, 503],
];

async function startFailing(authRejectMode: 'close' | 'http', handler: (() => unknown) | undefined) {
  const time = handler === HANGS ? { authTimeoutMs: 200 } : {};
  const started = await start({ authFunction: 'app::auth', authRejectMode, ...time });
  await started.worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'secret', data: { id: 'secret' } });
  if (handler !== undefined) await started.worker.serve('app::auth', handler);
  return started;
}

test.each(failures)('ST-11 an auth function that %s lets nobody in; joins are ignored', async (_name, handler, code) => {
  const { streamUrl } = await startFailing('close', handler);
  const watcher = await StreamSocket.open(streamUrl + room);
  if (watcher.socket.readyState === watcher.socket.OPEN) watcher.join('s', 'chat', 'room-1');
  expect(await watcher.closed).toBe(code);
  expect(watcher.inbox.all).toEqual([]);
});

test.each(failures)('ST-11 in http mode an auth function that %s refuses the upgrade', async (_name, handler, _code, status) => {
  const { streamUrl } = await startFailing('http', handler);
  await expect(StreamSocket.open(streamUrl + room)).rejects.toThrow(`HTTP ${status}`);
});

test('ST-11 {context: null} and {} are allows; a worker that dies while it decides is none', async () => {
  const { worker, workerUrl, streamUrl } = await start({ authFunction: 'app::auth' });
  await worker.serve('app::auth', () => ({ context: null }));
  await (await StreamSocket.open(streamUrl + room)).take('sync');
  await worker.serve('app::auth', () => ({}));
  await (await StreamSocket.open(streamUrl + room)).take('sync');
  const mortal = await RawWorker.connect(workerUrl);
  await mortal.serve('app::auth', () => mortal.socket.terminate());
  const refused = await StreamSocket.open(streamUrl + room);
  expect(await refused.closed).toBe(1008);
});

test('ST-11 auth_fail_open lets failures in, but never an explicit no or a time-out', async () => {
  const { worker, streamUrl } = await start({ authFunction: 'app::auth', authFailOpen: true, authTimeoutMs: 2_000 });
  await (await StreamSocket.open(streamUrl + room)).take('sync');
  let answer: () => unknown = () => null;
  await worker.serve('app::auth', () => answer());
  await (await StreamSocket.open(streamUrl + room)).take('sync');
  answer = () => ({ unauthorized: true });
  expect(await (await StreamSocket.open(streamUrl + room)).closed).toBe(1008);
  answer = () => new Promise(() => {});
  expect(await (await StreamSocket.open(`${streamUrl}${room}?token=other`)).closed).toBe(1013);
});

test('CF-12 a missing auth function is warned of at start, refuses, and counts again as soon as it is registered', async () => {
  const { worker, log, streamUrl } = await start({ authFunction: 'app::auth' });
  expect(log.find((line) => line.event === 'auth_function_not_registered')?.fields.function).toBe('app::auth');
  expect(await (await StreamSocket.open(streamUrl + room)).closed).toBe(1013);
  expect(log.find((line) => line.event === 'auth_undecided')?.fields.function).toBe('app::auth');
  await worker.serve('app::auth', () => ({}));
  await (await StreamSocket.open(streamUrl + room)).take('sync');
});

test('cookies reach the auth function only from pages of the listener itself or of an allowed origin', async () => {
  const { worker, streamUrl } = await start({ authFunction: 'app::auth' });
  const cookies: unknown[] = [];
  await worker.serve('app::auth', (data) => {
    cookies.push((data as { headers: Record<string, string> }).headers.cookie);
    return {};
  });
  const open = (headers: Record<string, string>) => StreamSocket.open(streamUrl + room, [], { headers: { cookie: 'sid=1', ...headers } });
  await open({});
  await open({ origin: 'https://evil.example' });
  await open({ origin: `http://${new URL(streamUrl).host}` });
  expect(cookies).toEqual(['sid=1', undefined, 'sid=1']);
});

test('with allowed_origins set, a page of another origin is refused', async () => {
  const { streamUrl } = await start({ allowedOrigins: ['https://app.example'], authRejectMode: 'http' });
  await expect(StreamSocket.open(streamUrl + room, [], { headers: { origin: 'https://app.example.evil' } })).rejects.toThrow('HTTP 403');
  await (await StreamSocket.open(streamUrl + room, [], { headers: { origin: 'https://app.example' } })).take('sync');
});

test('a credential that was refused is refused again without asking the auth function', async () => {
  const { worker, log, streamUrl } = await start({ authFunction: 'app::auth', authRejectMode: 'http' });
  let asked = 0;
  await worker.serve('app::auth', () => {
    asked++;
    return { unauthorized: true };
  });
  for (let n = 0; n < 20; n++) await expect(StreamSocket.open(streamUrl + room)).rejects.toThrow('HTTP 401');
  expect(asked).toBe(1);
  const events = log.map(({ event }) => event).filter((event) => event.startsWith('auth_refused'));
  expect(events).toEqual(['auth_refused', 'auth_refused_again']);
});
