import { expect, it } from 'vitest';
import { problemsOf, runHttpReaders } from '../../src/http-readers/campaign.js';

it('readers of event streams that are cut behind random events lose nothing and get nothing twice', async () => {
  const result = await runHttpReaders({ readers: 200, seed: 15, writes: 60, rate: 60, say: () => {} });
  expect(problemsOf(result)).toEqual([]);
  // No connection ended that the reader did not cut, and the log of each group reached back.
  expect([result.dropped, result.compacted]).toEqual([0, 0]);
  // A slow machine has fewer connections at each write.
  expect(result.cuts).toBeGreaterThan(100);
  expect(result.applied).toBeGreaterThan(200 * 60);
});
