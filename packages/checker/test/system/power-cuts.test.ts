import { describe, expect, it } from 'vitest';
import { type CampaignOptions, runCampaign } from '../../src/power-cuts/campaign.js';

const campaign = (options: Pick<CampaignOptions, 'cuts' | 'durability'> & Partial<CampaignOptions>) =>
  runCampaign({ seed: 1, say: () => {}, ...options });

describe('F2 power cuts', () => {
  it('lose, invent and tear nothing of a store with durability commit', async () => {
    const result = await campaign({ cuts: 200, durability: 'commit' });
    expect(result.wrong).toEqual([]);
    expect(result.checked).toBeGreaterThan(10_000);
    expect(result.newEpochs).toBe(0);
  });

  it('take a relaxed store back to an earlier state with a new epoch, and never to any other', async () => {
    const result = await campaign({ cuts: 100, cutsEach: 50, durability: 'relaxed' });
    expect(result.wrong).toEqual([]);
    expect(result.newEpochs).toBeGreaterThan(50);
  });

  it('lose nothing while a store is created', async () => {
    const result = await campaign({ cuts: 100, cutsEach: 100, durability: 'commit', steps: 0 });
    expect(result.wrong).toEqual([]);
  });

  it.each(['all', 'log'] as const)(
    'are found when they lose something: on a disk that ignores syncs (%s)',
    async (ignoredSyncs) => {
      const result = await campaign({ cuts: 30, durability: 'commit', ignoredSyncs });
      expect(result.wrong.length).toBeGreaterThan(15);
    },
    600_000,
  );
});
