import { expect, it } from 'vitest';
import { TurnBudget } from '../../src/structures/turn-budget.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('callers that pay in the same moment are charged one after the other', async () => {
  const turns = new TurnBudget(() => 0);
  let paid = 0;
  // Each text costs about 3 ms of a turn of 6 ms.
  const all = Array.from({ length: 15 }, () => turns.pay(2_200_000).then(() => paid++));
  await Promise.resolve();
  await Promise.resolve();
  expect(paid).toBeLessThanOrEqual(3);
  let most = 0;
  for (let before = paid; paid < 15; before = paid) {
    await turn();
    most = Math.max(most, paid - before);
  }
  expect(most).toBeLessThanOrEqual(3);
  await Promise.all(all);
});

it('a caller that pays in a turn with time does not wait for the next turn', async () => {
  const turns = new TurnBudget(() => 0);
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await turns.pay(100_000);
  expect(turned).toBe(false);
});
