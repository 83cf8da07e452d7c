import { expect, it } from 'vitest';
import { StallWatch } from '../../src/live/stall-watch.js';

it('a stall is reported once, with its duration, before the next operation', () => {
  let now = 0;
  const stalls: number[] = [];
  const watch = new StallWatch(
    1_000,
    (milliseconds) => stalls.push(milliseconds),
    () => now,
  );
  now = 900;
  watch.check();
  now = 8_900;
  watch.check();
  watch.check();
  watch.close();
  expect(stalls).toEqual([8_000]);
});
