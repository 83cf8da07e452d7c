import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const join = (n: number) => JSON.stringify({ type: 'join', data: { subscriptionId: 's', streamName: 'chat', groupId: `room-${n}` } });
const leave = (n: number) => JSON.stringify({ type: 'leave', data: { subscriptionId: 's', streamName: 'chat', groupId: `room-${n}` } });

/** Resolves when the engine has paused one more connection. */
async function paused(figures: () => { readonly rateLimited: number }, before: number): Promise<void> {
  while (figures().rateLimited === before) await new Promise((resolve) => setImmediate(resolve));
}

test('E7 S21 a client that joins and leaves ever new groups is not read beyond its rate, and others go on', async () => {
  const { engine, streamUrl, workerUrl, log } = await startTestEngine({ stream: { maxJoinsPerSecond: 100 } });
  const flooder = await RawSocket.upgrade(streamUrl);
  for (let n = 0; n < 20_000; n++) {
    flooder.text(join(n));
    flooder.text(leave(n));
  }
  await paused(() => engine.figures(), 0);
  expect(log.filter(({ event }) => event === 'rate_limited')).toMatchObject([
    { level: 'warn', fields: { code: 'RATE_LIMITED', listener: 'stream', of: 'joins' } },
  ]);
  // The burst, and the frames of the chunk that was read last.
  expect(engine.figures().groups).toBeLessThan(2_500);
  const worker = await RawWorker.connect(workerUrl);
  const other = await StreamSocket.open(`${streamUrl}/stream/chat/room`);
  await other.take('sync');
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room', item_id: 'm', data: { id: 'm' } });
  expect((await other.take('create')).id).toBe('m');
});

test('S21 a client may join everything that it may watch twice over in one turn, without a pause', async () => {
  const { engine, streamUrl } = await startTestEngine({ stream: { maxSubscriptionsPerConnection: 2_000, maxJoinsPerSecond: 10 } });
  const client = await StreamSocket.open(streamUrl);
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 2_000; n++) client.join(`s${n}`, 'chat', `room-${n}`);
    if (round === 0) for (let n = 0; n < 2_000; n++) client.leave(`s${n}`, 'chat', `room-${n}`);
  }
  await client.settled();
  expect(engine.figures().rateLimited).toBe(0);
});

test('S21 pings count as messages', async () => {
  const { engine, streamUrl } = await startTestEngine({
    stream: { maxFramesPerSecond: 10, maxJoinsPerSecond: 1, maxSubscriptionsPerConnection: 1 },
  });
  const flooder = await RawSocket.upgrade(streamUrl);
  flooder.write(Buffer.concat(Array.from({ length: 1_000 }, () => frame({ opcode: OPCODE.ping }))));
  await paused(() => engine.figures(), 0);
});

test('S21 a guest that calls more than it may is not read for a while, and gets every answer', async () => {
  const { engine, workerUrl, guestUrl } = await startTestEngine({
    guest: { rbac: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] }, manager: { maxCallsPerSecond: 50 } },
  });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::f', () => 1);
  const guest = await RawWorker.connect(guestUrl);
  const sent = Array.from({ length: 330 }, () => guest.call('app::f', {}));
  const answers = await Promise.all(sent);
  expect(answers.filter(({ result }) => result === 1)).toHaveLength(330);
  expect(engine.figures().rateLimited).toBeGreaterThan(0);
});

test('S21 a trusted worker has no rate', async () => {
  const { engine, workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  for (let n = 0; n < 20_000; n++) worker.send({ type: 'ping' });
  await worker.settled();
  expect(engine.figures().rateLimited).toBe(0);
});

test('E7 groups that nobody watches any more are kept in a bounded number', async () => {
  const { engine, streamUrl, log } = await startTestEngine({
    stream: { maxJoinsPerSecond: 0, maxFramesPerSecond: 0, maxBytesPerSecond: 0 },
  });
  const client = await StreamSocket.open(streamUrl);
  for (let n = 0; n < LIMITS.lingeringGroups + 5_000; n++) {
    client.socket.send(join(n));
    client.socket.send(leave(n));
  }
  while (engine.figures().evictedGroups < 5_000) await client.settled();
  expect(engine.figures()).toMatchObject({ groups: LIMITS.lingeringGroups, evictedGroups: 5_000 });
  expect(log.filter(({ event }) => event === 'lingering_groups_evicted')).toHaveLength(1);
});
