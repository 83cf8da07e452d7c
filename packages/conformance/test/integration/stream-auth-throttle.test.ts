import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const room = '/stream/chat/room-1';
const HAMMERERS = 600;
const USERS = 200;
const ROUNDS = 2;

/** Starts an engine whose auth functions let in tokens that begin with `good`, and count their calls. */
async function startGuarded() {
  const engine = await startTestEngine({ stream: { authFunction: 'app::auth' }, guest: { rbac: { authFunction: 'app::auth' } } });
  const worker = await RawWorker.connect(engine.workerUrl);
  const asked = new Map<string, number>();
  await worker.serve('app::auth', (data) => {
    const [token = ''] = (data as { query_params: Record<string, string[]> }).query_params['token'] ?? [];
    asked.set(token, (asked.get(token) ?? 0) + 1);
    return token.startsWith('good') ? { context: null } : { unauthorized: true };
  });
  return { ...engine, asked };
}

/** Connects once as a page with a token does. Resolves when the engine has closed the connection. */
function attempt(url: string, path: string, token: string): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const lines = [`GET ${path}?token=${token} HTTP/1.1`, `Host: ${hostname}`, 'Connection: Upgrade', 'Upgrade: websocket'];
    socket.write([...lines, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', ''].join('\r\n'));
    socket.on('error', reject);
    socket.on('data', (data) => {
      // The engine completes the upgrade and then sends a close frame, so that the page gets the reason.
      if (!data.toString('latin1').startsWith('HTTP/1.1 101') || data.includes(Buffer.from([0x88]))) socket.destroy();
    });
    socket.on('close', () => resolve());
  });
}

test('a credential that was refused is refused again without a question, and nobody else of its address is', async () => {
  const { engine, streamUrl, log, asked } = await startGuarded();
  const codes: number[] = [];
  for (let n = 0; n < 40; n++) {
    const page = await StreamSocket.open(`${streamUrl}${room}?token=old-${n % 2}`, ['Authorization', 'x']);
    codes.push(await page.closed);
  }
  expect(new Set(codes)).toEqual(new Set([1008]));
  expect([...asked]).toEqual([
    ['old-0', 1],
    ['old-1', 1],
  ]);
  const valid = await StreamSocket.open(`${streamUrl}${room}?token=good`, ['Authorization', 'x']);
  await valid.take('sync');
  expect(engine.figures().events).toMatchObject({ upgrade_closed_1008: 40 });
  const lines = log.filter(({ event }) => event === 'auth_refused_again');
  expect(lines).toMatchObject([{ level: 'warn', fields: { listener: 'stream', times: 1 } }]);
});

test.each([
  ['the stream port', 'streamUrl', room],
  ['a listener with rules', 'guestUrl', '/'],
] as const)(
  'E6 200 of 200 good users get in at %s while 600 clients with expired tokens try from their address',
  async (_port, url, path) => {
    const { [url]: listener, asked } = await startGuarded();
    let over = false;
    const hammer = async (n: number) => {
      // Each client tries once a second; the tries are spread over the second.
      await pause((n * 1_000) / HAMMERERS);
      for (let round = 0; round < ROUNDS || !over; round++) {
        await attempt(listener, path, `expired-${n}`);
        await pause(1_000);
      }
    };
    const hammering = Promise.all(Array.from({ length: HAMMERERS }, (_, n) => hammer(n)));
    const users = Array.from({ length: USERS }, async (_, n) => {
      await pause((n * 2_000) / USERS);
      const user = await RawWorker.connect(`${listener}${path}?token=good-${n}`);
      return user.socket.readyState;
    });
    expect((await Promise.all(users)).filter((state) => state === 1)).toHaveLength(USERS);
    over = true;
    await hammering;
    const questions = [...asked].filter(([token]) => token.startsWith('expired')).map(([, times]) => times);
    expect(questions).toHaveLength(HAMMERERS);
  },
);

test('E6 somebody who guesses 40 tokens at a time keeps nobody of the same address out', async () => {
  const { streamUrl, log, asked } = await startGuarded();
  for (let round = 0; round < 25; round++) {
    const guesses = Array.from({ length: 40 }, (_, n) => attempt(streamUrl, room, `guess-${round}-${n}`));
    const user = StreamSocket.open(`${streamUrl}${room}?token=good-${round}`);
    await (await user).take('sync');
    await Promise.all(guesses);
  }
  expect(asked.size).toBe(1_025);
  expect(log.some(({ event }) => event === 'auth_queue_full')).toBe(false);
});

test('E6 clients that leave while they wait are not asked about', async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  let full = () => {};
  const allPlaces = new Promise<void>((resolve) => {
    full = resolve;
  });
  await worker.serve('app::auth', (data) => {
    asked.push((data as { query_params: { token: [string] } }).query_params.token[0]);
    if (asked.length === LIMITS.authQuestions) full();
    return new Promise((resolve) => answers.push(() => resolve({ context: null })));
  });
  const open = (token: string) => StreamSocket.open(`${streamUrl}${room}?token=${token}`);
  const first = Array.from({ length: LIMITS.authQuestions }, (_, n) => open(`first-${n}`));
  await allPlaces;
  const { hostname, port } = new URL(streamUrl);
  for (let n = 0; n < 10; n++) {
    const leaving = connect(Number(port), hostname);
    const lines = [`GET ${room}?token=left-${n} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket'];
    leaving.end([...lines, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', ''].join('\r\n'));
    await once(leaving.resume(), 'close');
  }
  const last = open('last');
  // The engine has read the request of `last`, because it came before the request that is answered here.
  await worker.result('engine::health::check', {});
  for (const answer of answers.splice(0)) answer();
  await Promise.all(first);
  while (answers.length === 0) await new Promise(setImmediate);
  for (const answer of answers.splice(0)) answer();
  await (await last).take('sync');
  expect(asked.slice(LIMITS.authQuestions)).toEqual(['last']);
});

test('refused origins put nobody off', async () => {
  const allowedOrigins = ['https://app.example'];
  const { workerUrl, streamUrl } = await startTestEngine({ stream: { authFunction: 'app::auth', allowedOrigins } });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::auth', () => ({ context: null }));
  const open = (origin: string) => StreamSocket.open(streamUrl + room, [], { origin });
  for (let n = 0; n < 650; n++) await open('https://evil.example').catch(() => undefined);
  await (await open('https://app.example')).take('sync');
});
