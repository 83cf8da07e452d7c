import { expect, test } from 'vitest';
import { isPassed, runDamages } from '../../src/store-damage/campaign.js';

test('40 random damages of closed stores: no wrong value, no silent loss, no end of the process, and salvage keeps its promise', async () => {
  const result = await runDamages({ damages: 40, seed: 20_251 });
  expect(result.failures).toEqual([]);
  expect(result).toMatchObject({ damages: 40, complete: 2, nextSeed: 20_252 });
  expect(isPassed(result)).toBe(true);
});

test('a lost promise and a salvage below 99 percent fail a campaign', () => {
  const counts = { undamaged: 1_000, returned: 990, items: 1_000, returnedItems: 990, older: 0, revived: 0 };
  const failure = { seed: 1, index: 0, damage: 'x', violations: ['y'] };
  expect(isPassed({ failures: [], salvage: new Map([['a', counts]]) })).toBe(true);
  expect(isPassed({ failures: [], salvage: new Map([['a', { ...counts, returned: 989 }]]) })).toBe(false);
  expect(isPassed({ failures: [failure], salvage: new Map() })).toBe(false);
});
