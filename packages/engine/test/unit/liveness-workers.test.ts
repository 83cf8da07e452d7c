import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Liveness, type Pingable } from '../../src/transport/liveness.js';
import { SlowReader } from '../../src/transport/slow-reader.js';

/** A peer that answers no ping. The kernel takes `read` bytes for it each second. */
class SilentPeer implements Pingable {
  readonly remoteAddress = '10.0.0.1';
  readonly reader = new SlowReader(0);
  readonly written = 4_000_000;
  mayRest = false;
  buffered = 0;
  taken = 0;
  unfinished = undefined;
  readonly read: number;
  destroyedAt: number | undefined;

  constructor(buffered: number, read = 0) {
    this.buffered = buffered;
    this.read = read;
  }

  probe(): void {
    this.reader.probe(this);
  }

  pass(): void {
    const taken = Math.min(this.read, this.buffered);
    this.taken += taken;
    this.buffered -= taken;
  }

  expire(): void {}

  destroy(): void {
    this.destroyedAt ??= now / 1_000;
  }
}

let now = 0;
let liveness: Liveness;

function pass(seconds: number, peers: readonly SilentPeer[]): void {
  for (let passed = 0; passed < seconds; passed++) {
    for (const peer of peers) peer.pass();
    now += 1_000;
    vi.advanceTimersByTime(1_000);
  }
}

beforeEach(() => {
  now = 0;
  vi.useFakeTimers();
  const clock = { now: () => now, monotonic: () => now };
  liveness = new Liveness({ pingIntervalMs: 25_000, pongTimeoutMs: 10_000, spareSlowReaders: false, clock });
});

afterEach(() => {
  liveness.close();
  vi.useRealTimers();
});

it('F13 a silent worker is dropped within 35 s, whatever is queued for it', () => {
  const peers = Array.from({ length: 50 }, (_, n) => new SilentPeer(n % 2 === 0 ? 10_000_000 : 0));
  for (const peer of peers) liveness.add(peer);
  pass(37, peers);
  expect(peers.map(({ destroyedAt = Infinity }) => destroyedAt <= 36)).toEqual(peers.map(() => true));
});

it('F13 bytes that the kernel takes from an empty queue are no sign of life', () => {
  const called = new SilentPeer(0);
  liveness.add(called);
  for (let second = 0; second < 37; second++) {
    pass(1, [called]);
    called.taken += 1_000;
  }
  expect(called.destroyedAt).toBeLessThanOrEqual(36);
});

it('a worker is spared while its queue moves, and dropped when it has stopped', () => {
  const slow = new SilentPeer(10_000_000, 50_000);
  liveness.add(slow);
  pass(190, [slow]);
  expect(slow.destroyedAt).toBeUndefined();
  pass(60, [slow]);
  expect(slow.destroyedAt).toBeGreaterThan(200);
});
