import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Throttle } from '../../src/streams/live/throttle.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it('runs at once, and a burst runs once more after the wait', () => {
  const run = vi.fn<() => void>();
  const throttle = new Throttle(run, 1_000);
  for (let index = 0; index < 5_000; index++) throttle.request();
  expect(run).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(999);
  expect(run).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(10_000);
  expect(run).toHaveBeenCalledTimes(2);
  throttle.request();
  expect(run).toHaveBeenCalledTimes(3);
});

it('runs at most once in each wait while requests keep coming', () => {
  const run = vi.fn<() => void>();
  const throttle = new Throttle(run, 1_000);
  for (let ms = 0; ms < 10_000; ms += 10) {
    throttle.request();
    vi.advanceTimersByTime(10);
  }
  expect(run.mock.calls.length).toBeLessThanOrEqual(11);
});

it('runs no more after its end', () => {
  const run = vi.fn<() => void>();
  const throttle = new Throttle(run, 1_000);
  throttle.request();
  throttle.request();
  throttle.end();
  vi.advanceTimersByTime(2_000);
  expect(run).toHaveBeenCalledTimes(1);
});
