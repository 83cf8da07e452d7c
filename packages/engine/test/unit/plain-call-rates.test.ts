import { expect, it } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { InboundLimits } from '../../src/transport/rates/inbound-limits.js';

it('calls of plain requests have the rates of their address and of their identity', () => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  const none = { frames: undefined, bytes: undefined, requests: undefined };
  const calls = { perSecond: 1, burst: 1 };
  const of = new InboundLimits({ listener: 'stream', rates: none, calls, requests: 'joins', clock, logger: silentLogger });
  const taken = (identity: string | undefined, address: string) =>
    Array.from({ length: 30 }, () => of.takeCall(identity, address)).filter(Boolean).length;
  expect([taken(undefined, 'a'), taken(undefined, 'a'), taken('ann', 'b'), taken('ann', 'c'), taken('bob', 'c')]).toEqual([
    20, 0, 20, 0, 20,
  ]);
  now += 1_000;
  expect(taken(undefined, 'a')).toBe(20);
});
