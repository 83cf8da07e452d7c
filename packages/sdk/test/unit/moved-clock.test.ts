import { expect, test } from 'vitest';
import { MovedClock } from '../../src/testing/moved-clock.js';

const NOW = 1_700_000_000_000;

function started() {
  const clock = new MovedClock(NOW);
  const log: string[] = [];
  const note = (what: string) => () => void log.push(`${what} at ${clock.now() - NOW}`);
  const advance = (milliseconds: number) => clock.advance(milliseconds, () => Promise.resolve());
  return { clock, log, note, advance };
}

test('a clock stands still, and a move runs each timer at its own time, in order', async () => {
  const { clock, log, note, advance } = started();
  clock.timers.once(300, note('c'));
  clock.timers.once(100, note('a'));
  clock.timers.once(100, note('b'));
  clock.timers.once(301, note('later'));
  expect(clock.now()).toBe(NOW);
  await advance(300);
  expect(log).toEqual(['a at 100', 'b at 100', 'c at 300']);
  expect(clock.now()).toBe(NOW + 300);
});

test('a timer that a timer starts runs in the same move, and a cancelled one never runs', async () => {
  const { clock, log, note, advance } = started();
  const cancelled = clock.timers.once(50, note('cancelled'));
  const inSameMoment = clock.timers.once(100, note('cancelled by another'));
  clock.timers.once(40, () => {
    clock.timers.once(20, note('chained'));
    clock.timers.cancel(inSameMoment);
  });
  clock.timers.cancel(cancelled);
  await advance(100);
  expect(log).toEqual(['chained at 60']);
});

test('a sweep runs at its times and at the end of a move', async () => {
  const { clock, log, note, advance } = started();
  clock.timers.every(250, note('sweep'));
  await advance(600);
  expect(log).toEqual(['sweep at 250', 'sweep at 500', 'sweep at 600']);
});

test('a move of a year runs a sweep some hundred times, and ends at the exact time', async () => {
  const { clock, advance } = started();
  let sweeps = 0;
  clock.timers.every(250, () => void sweeps++);
  const year = 365 * 86_400_000;
  await advance(year);
  expect(clock.now()).toBe(NOW + year);
  expect(sweeps).toBeGreaterThan(100);
  expect(sweeps).toBeLessThanOrEqual(502);
});

test('the next timer waits until the work of the one before has settled', async () => {
  const { clock, log, note } = started();
  clock.timers.once(1, note('first'));
  clock.timers.once(2, note('second'));
  await clock.advance(2, async () => {
    await Promise.resolve();
    log.push('settled');
  });
  expect(log).toEqual(['first at 1', 'settled', 'second at 2', 'settled', 'settled']);
});
