import { expect, onTestFinished, test, vi } from 'vitest';
import { CHANNEL_LIVENESS, watch } from '../../src/channels/channel-liveness.js';

function watched() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const dropped: string[] = [];
  const socket = { received: 0, resting: false, pings: 0 };
  const stop = watch(
    {
      get received() {
        return socket.received;
      },
      get resting() {
        return socket.resting;
      },
      ping: () => void socket.pings++,
      drop: (reason) => void dropped.push(reason),
    },
    CHANNEL_LIVENESS,
  );
  return { socket, dropped, stop, pass: (seconds: number) => vi.advanceTimersByTime(seconds * 1_000) };
}

test('a socket is pinged every 20 s and dropped after 60 s without a byte', () => {
  const { socket, dropped, pass } = watched();
  pass(59);
  expect([socket.pings, dropped]).toEqual([2, []]);
  pass(1);
  expect(dropped).toEqual(['nothing came for 60000 ms']);
  pass(600);
  expect(socket.pings).toBe(2);
});

test('one byte of a large message is a sign of life', () => {
  const { socket, dropped, pass } = watched();
  for (let n = 0; n < 10; n++) {
    pass(50);
    socket.received++;
  }
  expect(dropped).toEqual([]);
});

test('the time of a rest does not count, nor what went before it', () => {
  const { socket, dropped, pass } = watched();
  pass(45);
  socket.resting = true;
  pass(36_000);
  socket.resting = false;
  pass(60);
  expect(dropped).toEqual([]);
  pass(20);
  expect(dropped).toHaveLength(1);
});

test('a blocked event loop is not held against the engine, because its bytes may be unread', () => {
  const { socket, dropped, pass } = watched();
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
  pass(20);
  expect([socket.pings, dropped]).toEqual([1, []]);
  socket.received++;
  pass(60);
  expect(dropped).toEqual([]);
  pass(20);
  expect(dropped).toHaveLength(1);
});

test('a watch that is ended pings and drops no more', () => {
  const { socket, dropped, pass, stop } = watched();
  stop();
  pass(600);
  expect([socket.pings, dropped]).toEqual([0, []]);
});
