import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type LogFields, silentLogger } from '../../src/logging/logger.js';
import type { Rate } from '../../src/structures/token-bucket.js';
import { InboundLimits } from '../../src/transport/rates/inbound-limits.js';
import type { InboundRates } from '../../src/transport/rates/inbound-meter.js';

class Reader {
  open = true;
  paused = false;
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
}

const time = { now: 0 };
const lines: unknown[] = [];

function limits(rates: InboundRates, calls?: Rate) {
  const clock = { now: () => time.now, monotonic: () => time.now };
  const note = (event: string, fields?: LogFields) => void lines.push({ event, ...fields });
  return new InboundLimits({ listener: 'stream', rates, calls, requests: 'joins', clock, logger: { ...silentLogger, warn: note } });
}

function connect(of: InboundLimits, identity?: string, address = '10.0.0.1') {
  const meter = of.meter(identity, address);
  if (meter === undefined) throw new Error('nothing is bounded');
  const reader = new Reader();
  meter.attach(reader);
  return { meter, reader };
}

function pass(milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 25) {
    time.now += 25;
    vi.advanceTimersByTime(25);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  time.now = 0;
  lines.length = 0;
});
afterEach(() => void vi.useRealTimers());

it('S21 a connection that sends more than it may is not read until its bucket owes nothing, and that is said once', () => {
  const of = limits({ requests: { perSecond: 10, burst: 5 } });
  const { meter, reader } = connect(of);
  for (let n = 0; n < 5; n++) meter.request();
  expect(reader.paused).toBe(false);
  meter.request();
  expect(reader.paused).toBe(true);
  for (let n = 0; n < 9; n++) meter.request();
  pass(950);
  expect(reader.paused).toBe(true);
  pass(200);
  expect(reader.paused).toBe(false);
  for (let n = 0; n < 9; n++) meter.request();
  expect(of.pauses).toBe(2);
  expect(lines).toEqual([{ event: 'rate_limited', code: 'RATE_LIMITED', listener: 'stream', of: 'joins', address: '10.0.0.1' }]);
});

it('S21 a flood is held to its rate over a minute', () => {
  const of = limits({ frames: { perSecond: 100, burst: 50 } });
  const { meter, reader } = connect(of);
  let sent = 0;
  for (let step = 0; step < 2_400; step++) {
    // The frames of the read before the pause still count.
    if (!reader.paused) for (let n = 0; n < 40; n++, sent++) meter.frame(10);
    pass(25);
  }
  expect(sent).toBeLessThanOrEqual(60 * 100 + 200);
  expect(sent).toBeGreaterThan(60 * 100 * 0.9);
});

it('S21 bytes count, and each connection is held by its own', () => {
  const of = limits({ bytes: { perSecond: 1_000, burst: 1_000 } });
  const loud = connect(of);
  const quiet = connect(of);
  loud.meter.frame(3_000);
  quiet.meter.frame(1_000);
  expect([loud.reader.paused, quiet.reader.paused]).toEqual([true, false]);
});

it('S21 connections of one identity share buckets of 20 connections, others do not', () => {
  const of = limits({ requests: { perSecond: 10, burst: 10 } });
  const tabs = Array.from({ length: 30 }, () => connect(of, 'ann'));
  for (const { meter } of tabs) for (let n = 0; n < 10; n++) meter.request();
  expect(tabs.filter(({ reader }) => reader.paused)).toHaveLength(10);
  const bob = connect(of, 'bob');
  for (let n = 0; n < 10; n++) bob.meter.request();
  expect(bob.reader.paused).toBe(false);
});

it('S21 identities are remembered in a bounded number', () => {
  const of = limits({ requests: { perSecond: 10, burst: 10 } });
  for (let n = 0; n < 20_000; n++) of.meter(`user-${n}`, '');
  expect(of.identities).toBe(10_000);
});

it('S21 a connection that closes is forgotten; without rates nothing is counted', () => {
  const of = limits({ requests: { perSecond: 1, burst: 1 } });
  const { meter, reader } = connect(of);
  for (let n = 0; n < 50; n++) meter.request();
  reader.open = false;
  pass(25);
  expect(vi.getTimerCount()).toBe(0);
  expect(limits({}).meter('ann', '')).toBeUndefined();
});

it('S21 calls count for the connection, for its identity and for its address, and nothing is kept before the first', () => {
  const of = limits({}, { perSecond: 10, burst: 5 });
  const { meter, reader } = connect(of, 'ann');
  for (let n = 0; n < 5; n++) meter.call();
  expect(reader.paused).toBe(false);
  meter.call();
  expect(reader.paused).toBe(true);
  expect(lines).toEqual([{ event: 'rate_limited', code: 'RATE_LIMITED', listener: 'stream', of: 'calls', address: '10.0.0.1' }]);
  // 20 connections of one address have what 20 connections may: 100 calls, of which 6 are made.
  for (let n = 0; n < 23; n++) {
    const other = connect(of);
    for (let call = 0; call < 4; call++) other.meter.call();
    expect(other.reader.paused).toBe(false);
  }
  const late = connect(of);
  for (let call = 0; call < 3; call++) late.meter.call();
  expect(late.reader.paused).toBe(true);
  const elsewhere = connect(of, 'ann', '10.0.0.2');
  for (let call = 0; call < 5; call++) elsewhere.meter.call();
  expect(elsewhere.reader.paused).toBe(false);
});

it('S21 connections of one identity share their calls at all addresses', () => {
  const of = limits({}, { perSecond: 10, burst: 1 });
  const all = Array.from({ length: 21 }, (_, n) => connect(of, 'ann', `10.0.1.${n}`));
  for (const { meter } of all) meter.call();
  expect(all.filter(({ reader }) => reader.paused).length).toBe(1);
});
