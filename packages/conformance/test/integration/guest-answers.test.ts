import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const ROOM = '/stream/chat/room-1';
const refusals: readonly unknown[] = [true, 'true', 'false', 1, 0, '', [], {}, [false]];
const allows: readonly unknown[] = [{}, { unauthorized: false }, { unauthorized: null }];

/** Starts an engine whose auth function gives the `n`th answer to the `n`th connection. */
async function startAsking(options: TestEngineOptions) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  let answer: unknown;
  await worker.serve('app::auth', () => answer);
  return { ...started, worker, next: (value: unknown) => void (answer = value) };
}

test.each(refusals)('D3 an auth answer {unauthorized: %j} refuses', async (unauthorized) => {
  const { next, guestUrl, streamUrl } = await startAsking({
    guest: { rbac: { authFunction: 'app::auth' } },
    stream: { authFunction: 'app::auth', authRejectMode: 'http', authFailOpen: true },
  });
  next({ unauthorized });
  await expect(RawWorker.connect(guestUrl)).rejects.toThrow('HTTP 401');
  await expect(StreamSocket.open(streamUrl + ROOM)).rejects.toThrow('HTTP 401');
});

test('D3 an object without unauthorized, or with false or null, lets in on both listeners', async () => {
  const { next, guestUrl, streamUrl } = await startAsking({
    guest: { rbac: { authFunction: 'app::auth' } },
    stream: { authFunction: 'app::auth' },
  });
  for (const answer of allows) {
    next(answer);
    await (await RawWorker.connect(guestUrl)).take('workerregistered');
    await (await StreamSocket.open(streamUrl + ROOM)).take('sync');
  }
});

const identities: readonly unknown[] = [1, {}, [], true, 'x'.repeat(257), 'ä'.repeat(129)];

test.each(identities)('decision 2: an identity that is no string of at most 256 bytes refuses: %j', async (identity) => {
  const { next, guestUrl, streamUrl } = await startAsking({
    guest: { rbac: { authFunction: 'app::auth' } },
    stream: { authFunction: 'app::auth', authRejectMode: 'http' },
  });
  next({ identity });
  await expect(RawWorker.connect(guestUrl)).rejects.toThrow('HTTP 401');
  await expect(StreamSocket.open(streamUrl + ROOM)).rejects.toThrow('HTTP 401');
});

test('decision 2: auth_fail_open lets in no answer that has a field of a wrong shape', async () => {
  const { next, streamUrl } = await startAsking({ stream: { authFunction: 'app::auth', authRejectMode: 'http', authFailOpen: true } });
  for (const [at, answer] of [{ identity: 1 }, { expires_at_ms: 'never' }].entries()) {
    next(answer);
    await expect(StreamSocket.open(`${streamUrl}${ROOM}?token=${at}`)).rejects.toThrow('HTTP 401');
  }
});

async function joinAnswered(answer: unknown, joinFailClosed: boolean) {
  const { worker, streamUrl } = await startTestEngine({ stream: { joinFailClosed } }).then(async (started) => ({
    ...started,
    worker: await RawWorker.connect(started.workerUrl),
  }));
  await worker.serve('app::join', () => answer);
  await worker.bind('stream:join', 'app::join', {});
  const watcher = await StreamSocket.open(streamUrl + ROOM);
  const frame = await watcher.inbox.take(({ event }) => ['sync', 'unauthorized'].includes((event as { type: string }).type), 'an answer');
  return (frame.event as { type: string }).type;
}

const joinRefusals: readonly unknown[] = [
  'no',
  '',
  'yes',
  0,
  1,
  true,
  false,
  [],
  [{}],
  { unauthorized: 'true' },
  { unauthorized: 1 },
  { unauthorized: 0 },
];

test.each(joinRefusals)('D3 a join function that answers %j refuses', async (answer) => {
  expect(await joinAnswered(answer, false)).toBe('unauthorized');
});

test.each([[undefined], [null], [{}], [{ unauthorized: false }], [{ unauthorized: null }]])(
  'D3 a join function that answers %j allows',
  async (answer) => {
    expect(await joinAnswered(answer, false)).toBe('sync');
  },
);

test.each([
  [undefined, 'unauthorized'],
  [null, 'unauthorized'],
  ['ok', 'unauthorized'],
  [{}, 'sync'],
  [{ unauthorized: null }, 'sync'],
])('S3 with join_fail_closed a join function that answers %j: %s', async (answer, expected) => {
  expect(await joinAnswered(answer, true)).toBe(expected);
});

test('S3 with join_fail_closed a function whose condition is false allows nothing', async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ stream: { joinFailClosed: true } });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::join', () => ({}));
  await worker.serve('app::if', () => false);
  await worker.bind('stream:join', 'app::join', { condition_function_id: 'app::if' });
  const watcher = await StreamSocket.open(streamUrl + ROOM);
  await watcher.take('unauthorized');
});
