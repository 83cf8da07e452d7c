import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { frame, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

test('guests that begin large messages and never end them own a bounded total; the oldest message goes first', async () => {
  const { guestUrl, workerUrl, log } = await startTestEngine({ guest: {} });
  const worker = await RawWorker.connect(workerUrl);
  const guest = await RawWorker.connect(guestUrl);
  const part = frame({ payload: Buffer.alloc(LIMITS.guestMessageBytes, 'x') }).subarray(0, 1_000_000);
  const fits = Math.floor(LIMITS.sessionsUnfinishedBytes / 1_000_000);
  const first = await RawSocket.upgrade(guestUrl);
  first.write(part);
  const others: RawSocket[] = [];
  for (let n = 0; n < fits; n++) {
    const socket = await RawSocket.upgrade(guestUrl);
    socket.write(part);
    others.push(socket);
  }
  await first.ended;
  expect(log).toContainEqual({
    level: 'warn',
    event: 'unfinished_messages_full',
    fields: { code: 'OVERLOADED', address: '127.0.0.1', bytes: expect.any(Number), limit: LIMITS.sessionsUnfinishedBytes },
  });
  // Workers and guests with whole messages notice nothing.
  await worker.settled();
  await guest.settled();
  expect(others.filter(({ socket }) => socket.closed)).toEqual([]);
});
