import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type ChannelRef, channelPath, createChannel } from '@rivulet/testkit/peers/channel-end';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const ROUNDS = 40;
const CALLS = 10;

/** Connects a peer that never ends TCP itself. Everything that the engine does follows from the Close frame. */
async function lingering(url: string, path = '/'): Promise<RawSocket> {
  const raw = await RawSocket.upgrade(url, path);
  raw.endsAfterClose = false;
  return raw;
}

async function closeInOrder(raw: RawSocket): Promise<void> {
  raw.sendClose();
  await raw.closes.take(() => true, 'the Close frame of the engine');
}

/** Resolves when the engine has handled every frame sent so far, because it answers a call behind them. */
async function handled(raw: RawSocket): Promise<void> {
  send(raw, { type: 'invokefunction', invocation_id: 'handled', function_id: 'engine::health::check', data: {} });
  await raw.texts.take((text) => text.includes('"handled"'), 'the answer of the call');
}

const send = (raw: RawSocket, message: unknown) => raw.text(JSON.stringify(message));

test('C1 400 of 400 calls behind an orderly close of the newest worker are answered by the other one', async () => {
  const { workerUrl } = await startTestEngine();
  const caller = await RawWorker.connect(workerUrl);
  const older = await RawWorker.connect(workerUrl);
  await older.serve('app::f', () => 'older');
  const answers = new Map<unknown, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const newest = await lingering(workerUrl);
    send(newest, { type: 'registerfunction', id: 'app::f' });
    await handled(newest);
    await closeInOrder(newest);
    const calls = await Promise.all(Array.from({ length: CALLS }, () => caller.call('app::f', {})));
    for (const { result, error } of calls) answers.set(error ?? result, (answers.get(error ?? result) ?? 0) + 1);
    newest.socket.destroy();
  }
  expect([...answers]).toEqual([['older', ROUNDS * CALLS]]);
});

/** Connects a stream client that joined, and a worker that gets its leave. */
async function joined() {
  const engine = await startTestEngine({ stream: { maxMessageBytes: 10_000 } });
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.serve('app::left', () => null);
  await worker.bind('stream:leave', 'app::left', {});
  const client = await lingering(engine.streamUrl, '/stream/chat/room');
  await client.texts.take(() => true, 'the sync');
  return { ...engine, worker, client };
}

/** Returns the calls that have reached the worker's functions when the engine has handled everything sent so far. */
async function callsOf(worker: RawWorker) {
  await worker.settled();
  return worker.inbox.all.filter(({ type }) => type === 'invokefunction').map(({ function_id, data }) => ({ function_id, data }));
}

const ENDS: readonly { readonly how: string; readonly code: number; readonly end: (raw: RawSocket) => void }[] = [
  { how: 'a Close frame of the client', code: 1000, end: (raw) => raw.sendClose() },
  { how: 'a Close frame without a code', code: 1005, end: (raw) => raw.write(frame({ opcode: OPCODE.close })) },
  { how: 'a message beyond the limit', code: 1009, end: (raw) => raw.write(frame({ claimedBytes: 20_000n }).subarray(0, 12)) },
  {
    how: 'too many fragments',
    code: 1008,
    end: (raw) => {
      raw.write(frame({ fin: false, payload: '{' }));
      for (let n = 0; n < 100; n++) raw.write(frame({ opcode: OPCODE.continuation, fin: false, payload: ' ' }));
    },
  },
  { how: 'a frame without a mask', code: 1002, end: (raw) => raw.write(frame({ masked: false, payload: '{}' })) },
];

test.each(ENDS)('C1 stream:leave fires before TCP ends: $how', async ({ code, end }) => {
  const { client, worker } = await joined();
  end(client);
  expect(await client.closes.take(() => true, 'the Close frame of the engine')).toBe(code);
  expect(await callsOf(worker)).toMatchObject([{ data: { stream_name: 'chat', group_id: 'room' } }]);
  expect(client.socket.writable).toBe(true);
});

test('C1 stream:leave fires at the FIN of a client that reads nothing more', async () => {
  const { client, worker, engine } = await joined();
  client.socket.pause();
  const data = { text: 'x'.repeat(500_000) };
  // The bytes are more than the kernel holds for one connection.
  for (let n = 0; engine.figures().largestSessionBytes === 0 && n < 100; n++)
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'room', item_id: `m${n}`, data });
  expect(engine.figures().largestSessionBytes).toBeGreaterThan(0);
  client.socket.end();
  expect(await worker.take('invokefunction')).toMatchObject({ data: { group_id: 'room' } });
  expect(client.socket.destroyed).toBe(false);
});

test('C1 a provider that comes after the Close frame of a worker gets none of its bindings', async () => {
  const { workerUrl } = await startTestEngine();
  const consumer = await lingering(workerUrl);
  send(consumer, { type: 'registerfunction', id: 'app::f' });
  send(consumer, { type: 'registertrigger', id: 'b1', trigger_type: 'app:type', function_id: 'app::f', config: {} });
  await handled(consumer);
  await closeInOrder(consumer);
  const provider = await RawWorker.connect(workerUrl);
  provider.send({ type: 'registertriggertype', id: 'app:type', description: 'd' });
  await provider.settled();
  expect(provider.inbox.all.map(({ type }) => type)).toEqual(['workerregistered', 'invocationresult']);
  expect(consumer.socket.writable).toBe(true);
});

test('C1 calls that the worker runs end with invocation_stopped when its Close frame is read', async () => {
  const { workerUrl } = await startTestEngine();
  const caller = await RawWorker.connect(workerUrl);
  const worker = await lingering(workerUrl);
  send(worker, { type: 'registerfunction', id: 'app::slow' });
  await handled(worker);
  const answer = caller.call('app::slow', {});
  await worker.texts.take((text) => text.includes('invokefunction'), 'the call');
  await closeInOrder(worker);
  await caller.settled();
  expect(caller.inbox.all).toContainEqual(expect.objectContaining({ error: expect.objectContaining({ code: 'invocation_stopped' }) }));
  await answer;
  expect(worker.socket.writable).toBe(true);
});

test('C1 a Close frame in the middle of held frames: nothing that waits for a hook takes effect', async () => {
  const { workerUrl, guestUrl } = await startTestEngine({ guest: { rbac: { onFunctionRegistration: 'app::hook' } } });
  const worker = await RawWorker.connect(workerUrl);
  let decide = (_answer: unknown): void => {};
  await worker.serve('app::hook', () => new Promise((resolve) => (decide = resolve)));
  const guest = await lingering(guestUrl);
  send(guest, { type: 'registerfunction', id: 'guest::f' });
  send(guest, { type: 'registerfunction', id: 'guest::g' });
  await worker.take('invokefunction', ({ function_id }) => function_id === 'app::hook');
  await closeInOrder(guest);
  decide({});
  await worker.settled();
  const { functions } = (await worker.result('engine::functions::list', {})) as { functions: { function_id: string }[] };
  expect(functions.filter(({ function_id }) => function_id.startsWith('guest::'))).toEqual([]);
  expect(worker.inbox.all.filter(({ type, function_id }) => type === 'invokefunction' && function_id === 'app::hook')).toHaveLength(1);
});

test.each(['read', 'write'] as const)(
  'C1 the other end of a channel learns of the Close frame of the one that may %s',
  async (direction) => {
    const { workerUrl } = await startTestEngine();
    const worker = await RawWorker.connect(workerUrl);
    const refs = await createChannel(worker);
    const path = (ref: ChannelRef) => channelPath(ref);
    const reader = await lingering(workerUrl, path(refs.reader));
    const writer = await lingering(workerUrl, path(refs.writer));
    const [closing, other] = direction === 'read' ? [reader, writer] : [writer, reader];
    await closing.settled();
    await other.settled();
    await closeInOrder(closing);
    await worker.settled();
    const code = await other.closes.take(() => true, 'the Close frame at the other end');
    expect(code).toBe(direction === 'read' ? 1001 : 1000);
    expect(closing.socket.writable).toBe(true);
  },
);
