import { expect, it } from 'vitest';
import { RequestSlots } from '../../src/http/request-slots.js';

it('a long line of requests that leave at once is worked off without deep recursion', () => {
  const slots = new RequestSlots(1, 20_000);
  let entered = 0;
  slots.enter(() => {});
  for (let n = 0; n < 20_000; n++)
    slots.enter(() => {
      entered++;
      slots.leave();
    });
  expect(slots.enter(() => {})).toBeUndefined();
  slots.leave();
  expect([entered, slots.full]).toEqual([20_000, false]);
});
