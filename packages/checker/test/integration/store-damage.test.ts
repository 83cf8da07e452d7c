import { expect, test } from 'vitest';
import { runDamages } from '../../src/store-damage/campaign.js';

test('40 random damages of closed stores: no wrong value, no silent loss, no end of the process', async () => {
  const { damages, failures } = await runDamages({ damages: 40, seed: 20_251 });
  expect(failures).toEqual([]);
  expect(damages).toBe(40);
});
