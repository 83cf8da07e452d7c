import { describe, expect, it } from 'vitest';
import { namespaceProblem } from '../../src/lock-trials/agent.js';
import { CONDITIONS, runCampaign } from '../../src/lock-trials/campaign.js';

const problem = namespaceProblem();

describe.skipIf(problem !== undefined)(
  `K1 a second engine in another PID namespace${problem === undefined ? '' : ` (skipped: ${problem})`}`,
  () => {
    it('never owns a directory together with the first one, and a process that lost it writes nothing', async () => {
      const result = await runCampaign({ starts: 16, seed: 4, say: () => {} });
      expect(result.wrong).toEqual([]);
      expect(CONDITIONS.filter((condition) => result.starts[condition] === 0)).toEqual([]);
      expect(result.lost).toBe(result.starts.removed);
      expect(result.writes).toBeGreaterThan(16);
    });
  },
);
