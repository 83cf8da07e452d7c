import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Liveness, type LivenessOptions, type Pingable } from '../../src/transport/liveness.js';
import { SlowReader } from '../../src/transport/slow-reader.js';

class FakeConnection implements Pingable {
  readonly remoteAddress = '10.0.0.1';
  readonly reader = new SlowReader(0);
  mayRest = false;
  buffered = 0;
  taken = 0;
  unfinished: object | undefined;
  pings = 0;
  expired = 0;
  destroyed = 0;
  /** Bytes before the first ping. */
  written = 0;
  answers = false;

  probe(): void {
    this.pings++;
    this.reader.probe(this);
    if (this.answers) this.reader.ponged(0);
  }

  expire(): void {
    this.expired++;
  }

  destroy(): void {
    this.destroyed++;
  }
}

let now = 0;
const clock = { now: () => now, monotonic: () => now };
let liveness: Liveness;

function start(options: Partial<LivenessOptions> = {}): void {
  liveness = new Liveness({ pingIntervalMs: 25_000, pongTimeoutMs: 10_000, clock, ...options });
}

function added(more: Partial<FakeConnection> = {}): FakeConnection {
  const connection = Object.assign(new FakeConnection(), more);
  liveness.add(connection);
  return connection;
}

function pass(milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 100) {
    now += 100;
    vi.advanceTimersByTime(100);
  }
}

beforeEach(() => {
  now = 1_000;
  vi.useFakeTimers();
});

afterEach(() => {
  liveness.close();
  vi.useRealTimers();
});

describe('pings', () => {
  it('reach every connection once in an interval, a slot of them at a time', () => {
    start();
    const connections = Array.from({ length: 100 }, () => added({ answers: true }));
    const pinged = () => connections.reduce((sum, { pings }) => sum + pings, 0);
    pass(1_000);
    expect(pinged()).toBe(4);
    pass(24_000);
    expect(connections.map(({ pings }) => pings)).toEqual(connections.map(() => 1));
    pass(50_000);
    expect(pinged()).toBe(300);
    expect([liveness.dropped, connections.some(({ destroyed }) => destroyed > 0)]).toEqual([0, false]);
  });

  it('drop a silent connection when the pong time-out is over, and not before', () => {
    start();
    const silent = added();
    pass(1_000);
    expect(silent.pings).toBe(1);
    pass(9_900);
    expect(silent.destroyed).toBe(0);
    pass(200);
    expect([silent.destroyed, liveness.dropped]).toEqual([1, 1]);
  });

  it('spare a peer that may rest for as long as it has something to read, and no longer', () => {
    for (const spareSlowReaders of [true, false]) {
      start({ spareSlowReaders });
      const resting = added({ mayRest: true, written: 1 });
      const waiting = added({ mayRest: true, buffered: 1 });
      const silent = added({ mayRest: true });
      pass(600_000);
      expect([resting.destroyed, waiting.destroyed]).toEqual([0, 0]);
      expect(silent.destroyed).toBeGreaterThan(0);
      liveness.close();
    }
  });

  it('spare whatever has given a sign of life since', () => {
    start();
    const alive = added();
    pass(5_000);
    alive.reader.heard();
    pass(20_000);
    expect([alive.destroyed, alive.pings]).toEqual([0, 1]);
  });

  it('spare a connection with unsent bytes for as long as it has them', () => {
    start();
    const slow = added({ buffered: 1 });
    pass(300_000);
    expect(slow.destroyed).toBe(0);
    slow.buffered = 0;
    pass(25_000);
    expect(slow.destroyed).toBe(1);
  });

  it('give a reader of 16 KiB/s the time to reach the ping, and no more than 4 MiB of it', () => {
    start();
    const timeTo = (backlog: number) => {
      const connection = added({ written: backlog });
      let ms = 0;
      for (; connection.destroyed === 0; ms += 1_000) pass(1_000);
      liveness.remove(connection);
      return ms / 1_000;
    };
    const rate = 16_384;
    const waits = [0, rate * 9, rate * 11, rate * 60, 4_194_304, 1_000_000_000].map((backlog) => ({ backlog, waited: timeTo(backlog) }));
    for (const { backlog, waited } of waits) {
      const needed = Math.min(backlog, 4_194_304) / rate;
      expect(waited).toBeGreaterThanOrEqual(Math.max(10, needed));
      expect(waited).toBeLessThanOrEqual(Math.max(10, needed) + 51);
    }
    expect(waits.slice(0, 2).every(({ waited }) => waited <= 36)).toBe(true);
  });

  it('drop nobody in the tick after the event loop stood still: the pongs may lie unread', () => {
    start();
    const silent = added();
    pass(10_900);
    now += 60_000;
    vi.advanceTimersByTime(100);
    expect(silent.destroyed).toBe(0);
    pass(25_000);
    expect(silent.destroyed).toBe(1);
  });

  it('stop for what was removed, and for all when it closes', () => {
    start();
    const gone = added();
    const kept = added();
    pass(2_000);
    liveness.remove(gone);
    liveness.remove(gone);
    liveness.close();
    pass(60_000);
    expect([gone.pings, kept.pings, gone.destroyed, kept.destroyed]).toEqual([1, 1, 0, 0]);
  });

  it('take the interval for a time-out that is longer, and live with an interval of 1 ms', () => {
    start({ pingIntervalMs: 1_000, pongTimeoutMs: 60_000 });
    const silent = added();
    pass(1_200);
    expect(silent.destroyed).toBe(1);
    liveness.close();
    start({ pingIntervalMs: 1, pongTimeoutMs: 1 });
    const hurried = added();
    pass(100);
    expect([hurried.pings > 0, hurried.destroyed > 0]).toEqual([true, true]);
  });
});

describe('messages that are not finished', () => {
  it('end their connection after 10 s, at most a fifth later, whatever the ping interval', () => {
    for (const pingIntervalMs of [1_000, 25_000, 86_400_000]) {
      start({ pingIntervalMs, pongTimeoutMs: pingIntervalMs });
      const connections = Array.from({ length: 50 }, () => added({ unfinished: {}, answers: true }));
      pass(9_900);
      expect(connections.filter(({ expired }) => expired > 0)).toEqual([]);
      pass(2_200);
      expect(connections.map(({ expired }) => expired)).toEqual(connections.map(() => 1));
      expect(liveness.expired).toBe(50);
      liveness.close();
    }
  });

  it('may be as many as one likes when each is finished in time', () => {
    start();
    const busy = added({ answers: true });
    for (let n = 0; n < 20; n++) {
      busy.unfinished = {};
      pass(9_000);
    }
    busy.unfinished = undefined;
    const resting = added({ answers: true, unfinished: {} });
    for (let n = 0; n < 20; n++) {
      const message = resting.unfinished;
      pass(8_000);
      resting.unfinished = undefined;
      pass(2_100);
      resting.unfinished = message;
    }
    expect([busy.expired, resting.expired, liveness.expired]).toEqual([0, 0, 0]);
  });

  it('are not held against the peer while the event loop stands still', () => {
    start();
    const patient = added({ unfinished: {}, answers: true });
    pass(4_000);
    now += 3_600_000;
    vi.advanceTimersByTime(100);
    expect(patient.expired).toBe(0);
    pass(8_500);
    expect(patient.expired).toBe(1);
  });

  it('are forgotten with their connection', () => {
    start({ messageAssemblyMs: 1_000 });
    const gone = added({ unfinished: {} });
    pass(900);
    liveness.remove(gone);
    pass(5_000);
    expect([gone.expired, liveness.expired]).toEqual([0, 0]);
  });
});
