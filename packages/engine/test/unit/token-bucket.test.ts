import { expect, it } from 'vitest';
import { TokenBucket } from '../../src/structures/token-bucket.js';

function bucket(perSecond: number, burst: number) {
  const time = { now: 5_000, reads: 0 };
  const monotonic = () => {
    time.reads++;
    return time.now;
  };
  return { time, bucket: new TokenBucket({ perSecond, burst }, { monotonic }) };
}

it('gives a burst at once, then as many a second as its rate', () => {
  const { time, bucket: tokens } = bucket(10, 5);
  expect(Array.from({ length: 7 }, () => tokens.take())).toEqual([true, true, true, true, true, false, false]);
  time.now += 100;
  expect([tokens.take(), tokens.take()]).toEqual([true, false]);
  time.now += 60_000;
  expect(Array.from({ length: 6 }, () => tokens.take()).filter(Boolean)).toHaveLength(5);
});

it('says how long to wait, also for more than a burst', () => {
  const { time, bucket: tokens } = bucket(10, 5);
  expect(tokens.waitMs(5)).toBe(0);
  tokens.spend(5);
  expect(tokens.waitMs(1)).toBe(100);
  expect(tokens.waitMs(50)).toBe(500);
  time.now += 500;
  expect(tokens.waitMs(50)).toBe(0);
});

it('may owe tokens, which come back first', () => {
  const { time, bucket: tokens } = bucket(10, 5);
  expect(tokens.spend(25)).toBe(false);
  time.now += 1_000;
  expect(tokens.take()).toBe(false);
  time.now += 1_100;
  expect(tokens.take()).toBe(true);
});

it('reads the clock only when its tokens run out', () => {
  const { time, bucket: tokens } = bucket(10, 1_000);
  const before = time.reads;
  for (let n = 0; n < 1_000; n++) tokens.take();
  expect(time.reads).toBe(before);
});
