import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type EvictableConnection, OutageEviction } from '../../src/stream/session/outage-eviction.js';

let now = 0;
const clock = { now: () => now, monotonic: () => now };
const lines: string[] = [];
const logger = { debug() {}, info() {}, warn: (event: string) => void lines.push(event), error() {} };

class Connection implements EvictableConnection {
  unavailableSince: number | undefined;
  endedAt: number | undefined;

  constructor(since: number | undefined) {
    this.unavailableSince = since;
  }

  evict(): void {
    this.endedAt = now;
    this.unavailableSince = undefined;
  }
}

beforeEach(() => {
  now = 0;
  lines.length = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function pass(milliseconds: number): void {
  for (const end = now + milliseconds; now < end; ) {
    now += 50;
    vi.advanceTimersByTime(50);
  }
}

it('F45 who is cut off is kept for 30 s, and ends at some moment of the 10 s after, all of them as likely', () => {
  const connections = Array.from({ length: 2_000 }, () => new Connection(0));
  const spared = [new Connection(undefined), new Connection(20_000)];
  const watch = new OutageEviction({ connections: () => [...connections, ...spared], clock, logger });
  watch.begin();
  pass(LIMITS.outageKeepMs);
  expect(connections.filter(({ endedAt }) => endedAt !== undefined)).toEqual([]);
  pass(LIMITS.outageSpreadMs);
  const seconds = Array.from({ length: 10 }, () => 0);
  for (const { endedAt = Number.NaN } of connections) {
    const second = Math.ceil((endedAt - LIMITS.outageKeepMs) / 1_000) - 1;
    seconds[second] = (seconds[second] ?? 0) + 1;
  }
  expect(seconds).toHaveLength(10);
  // The average is 200. The bound is five standard deviations away.
  expect(Math.min(...seconds)).toBeGreaterThan(130);
  expect(Math.max(...seconds)).toBeLessThan(270);
  expect(spared.map(({ endedAt }) => endedAt)).toEqual([undefined, undefined]);
  expect(lines).toEqual(['stream_clients_sent_away']);
  watch.end();
});

it('no connection is closed when the outage ends before, and each outage is logged once', () => {
  const connection = new Connection(0);
  const watch = new OutageEviction({ connections: () => [connection], spreadMs: 0, clock, logger });
  watch.begin();
  pass(29_000);
  watch.end();
  pass(60_000);
  expect([connection.endedAt, vi.getTimerCount()]).toEqual([undefined, 0]);
  for (let time = 0; time < 2; time++) {
    connection.unavailableSince = now;
    watch.begin();
    pass(31_000);
    watch.end();
  }
  expect(lines).toEqual(['stream_clients_sent_away', 'stream_clients_sent_away']);
});
