import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { heldBytes } from '@rivulet/testkit/measures/heap';
import { frame, OPCODE, upgradeHead } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, it, onTestFinished } from 'vitest';

const PEERS = 100;
const MOST_BYTES = 262_144;
const BIG = frame({ opcode: OPCODE.binary, payload: Buffer.alloc(16), claimedBytes: 16_000_000n });
const FILLER = Buffer.alloc(262_000, 'x');
const LONG_HEADERS = Array.from({ length: 55 }, (_, n) => `x-${n}: ${'v'.repeat(220)}`);

/** Starts an engine with every kind of listener. Its auth functions and middleware never answer. */
async function hostedEngine(): Promise<TestEngine & { readonly worker: RawWorker }> {
  const engine = await startTestEngine({
    stream: { authFunction: 'test::auth', authTimeoutMs: 60_000 },
    guest: { rbac: { authFunction: 'test::auth', authTimeoutMs: 60_000 } },
    http: { middleware: [{ functionId: 'test::mw', priority: 0 }], defaultTimeoutMs: 60_000 },
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  const never = () => new Promise(() => {});
  await worker.serve('test::auth', never);
  await worker.serve('test::mw', never);
  await worker.serve('test::fn', () => ({}));
  await worker.bind('http', 'test::fn', { api_path: '/p', http_method: 'POST' });
  return { ...engine, worker };
}

/** Connects, and sends the first part. */
async function peer(url: string, first: string | Buffer): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(first);
  return socket;
}

/** Connects peers that send each part when the engine has read the one before. */
async function peers(count: number, url: string, parts: readonly (string | Buffer)[], settle: () => Promise<void>): Promise<Socket[]> {
  const all = await Promise.all(Array.from({ length: count }, () => peer(url, parts[0] ?? '')));
  await settle();
  for (const part of parts.slice(1)) {
    for (const socket of all) socket.write(part);
    await settle();
  }
  return all;
}

const SHAPES: readonly [string, (engine: TestEngine) => string, readonly (string | Buffer)[]][] = [
  ['half a head on the stream listener', ({ streamUrl }) => streamUrl, [`GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(2_500)}`]],
  ['half a head on the guest listener', ({ guestUrl }) => guestUrl, [`GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(2_500)}`]],
  ['half a head on the HTTP listener', ({ httpUrl }) => httpUrl, [`GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(2_500)}`]],
  ['data behind an upgrade of a stream client', ({ streamUrl }) => streamUrl, [upgradeHead('/', LONG_HEADERS), FILLER]],
  ['data behind an upgrade of a guest', ({ guestUrl }) => guestUrl, [upgradeHead('/', LONG_HEADERS), FILLER]],
  ['unfinished frames on /otel of the guest listener', ({ guestUrl }) => guestUrl, [upgradeHead('/otel'), BIG, FILLER]],
  [
    'frames in pieces on /otel',
    ({ workerUrl }) => workerUrl,
    [upgradeHead('/otel'), frame({ fin: false }), frame({ opcode: 0, fin: false, payload: FILLER })],
  ],
  ['channels with wrong keys', ({ guestUrl }) => guestUrl, [upgradeHead('/ws/channels/none?key=k&dir=write'), BIG, FILLER]],
  [
    'a request that waits for middleware, with its small body',
    ({ httpUrl }) => httpUrl,
    [
      `POST /p HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n${LONG_HEADERS.join('\r\n')}\r\n\r\n`,
      Buffer.alloc(65_536, ' '),
    ],
  ],
  [
    'a request that waits for middleware, with a large body',
    ({ httpUrl }) => httpUrl,
    ['POST /p HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7000000\r\n\r\n', FILLER],
  ],
  [
    'pipelined requests that wait for middleware',
    ({ httpUrl }) => httpUrl,
    [`POST /p HTTP/1.1\r\nHost: h\r\nx: ${'y'.repeat(1_500)}\r\n\r\n`.repeat(8)],
  ],
  ['one more pipelined request than allowed', ({ httpUrl }) => httpUrl, [`POST /p HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(16)]],
  ['a flood of pipelined requests', ({ httpUrl }) => httpUrl, [`POST /p HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(10_000)]],
];

it.each(SHAPES)('S23 one peer without credentials owns at most 256 KiB: %s', async (_what, url, parts) => {
  const engine = await hostedEngine();
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await engine.worker.settled();
  };
  // The first peers compile code and fill caches that all of them share.
  await peers(10, url(engine), parts, settle);
  const before = await heldBytes();
  const all = await peers(PEERS, url(engine), parts, settle);
  const each = ((await heldBytes()) - before) / PEERS;
  if (process.env.SHOW_FIGURES !== undefined)
    process.stderr.write(`${_what}: ${Math.round(each / 1024)} KiB each, ${all.filter(({ closed }) => !closed).length} open\n`);
  expect(each).toBeLessThan(MOST_BYTES);
});

it.each<[string, Parameters<typeof startTestEngine>[0], (engine: TestEngine) => string]>([
  ['a stream client', { stream: { authFunction: 'test::auth' } }, ({ streamUrl }) => streamUrl],
  ['a guest', { guest: { rbac: { authFunction: 'test::auth', authErrorFrame: true } } }, ({ guestUrl }) => guestUrl],
])('S23 %s that is refused after its upgrade is not read into memory', async (_what, options, url) => {
  const engine = await startTestEngine(options);
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.serve('test::auth', () => ({ unauthorized: true }));
  const before = await heldBytes();
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await worker.settled();
  };
  const parts = [upgradeHead('/?token=wrong'), frame({ claimedBytes: 200_000n }), Buffer.alloc(100_000)];
  const all = await peers(20, url(engine), parts, settle);
  expect(all.some(({ closed }) => !closed)).toBe(true);
  expect(((await heldBytes()) - before) / all.length).toBeLessThan(MOST_BYTES);
});
