import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FunctionWaits } from '../../src/stream/calls/function-waits.js';
import { type Clock, systemClock } from '../../src/structures/clock.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The timers of a clock that stands still, as that of a test of an application. */
const STANDS_STILL: Clock = { ...systemClock, timers: { once: () => ({ unref() {} }), every: () => ({ unref() {} }), cancel() {} } };

function fakeFabric(clock = systemClock) {
  const served = new Set<string>();
  let notify: (id: string) => void = () => {};
  const serve = (id: string) => {
    served.add(id);
    notify(id);
  };
  const fabric = { clock, onServed: (listener: (id: string) => void) => void (notify = listener) };
  const waits = new FunctionWaits(fabric);
  return { waits, wait: (id: string, then: () => void) => waits.wait(() => served.has(id), then), serve };
}

test('calls run in their order when a worker registers its functions in another one', () => {
  const { wait, serve } = fakeFabric();
  const ran: number[] = [];
  wait('app::a', () => ran.push(1));
  wait('app::b', () => ran.push(2));
  wait('app::c', () => ran.push(3));
  wait('app::a', () => ran.push(4));
  serve('app::b');
  serve('app::a');
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(ran).toEqual([1, 2, 4]);
  serve('app::c');
  vi.advanceTimersByTime(0);
  expect(ran).toEqual([1, 2, 4, 3]);
});

test('a wait ends after 5 s, when the engine stops, and without a word when it is cancelled', () => {
  const { waits, wait, serve } = fakeFabric();
  const ran: string[] = [];
  wait('app::a', () => ran.push('late'));
  wait('app::a', () => ran.push('cancelled')).cancel();
  vi.advanceTimersByTime(4_999);
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ran).toEqual(['late']);
  wait('app::a', () => ran.push('stopped'));
  waits.stop();
  expect(ran).toEqual(['late', 'stopped']);
  wait('app::a', () => ran.push('at once'));
  vi.advanceTimersByTime(0);
  serve('app::a');
  vi.advanceTimersByTime(5_000);
  expect(ran).toEqual(['late', 'stopped', 'at once']);
});

test('a wait that begins after the stop of the engine ends in the next turn, also when the clock stands still', () => {
  const { waits, wait } = fakeFabric(STANDS_STILL);
  const ran: string[] = [];
  waits.stop();
  wait('app::a', () => ran.push('at once'));
  wait('app::a', () => ran.push('cancelled')).cancel();
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(ran).toEqual(['at once']);
});
