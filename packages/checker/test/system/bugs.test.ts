import { describe, expect, it } from 'vitest';
import { BUGS, hunt } from '../../src/bugs/hunt.js';
import { INVARIANTS } from '../../src/invariants/all.js';
import { check, describeViolation } from '../../src/invariants/invariant.js';
import { simulate } from '../../src/simulation/simulation.js';

/** Number of seeds to try for each bug. */
const BUDGET = 60;
const SEEDS = Array.from({ length: BUDGET }, (_, n) => n + 1);

describe('a deliberate bug', () => {
  const used = new Set<number>();

  it.each(BUGS.map((bug) => [bug.id, bug] as const))('%s is caught', async (_id, bug) => {
    const { seed, caughtBy, first } = await hunt(bug, SEEDS);
    expect(seed, `${bug.says}: not caught in ${BUDGET} seeds`).toBeDefined();
    expect(caughtBy.length).toBeGreaterThan(0);
    expect(first?.ops.length).toBeGreaterThan(0);
    used.add(seed ?? 0);
  });

  it('is what is caught: without one the same seeds pass', async () => {
    for (const seed of used) {
      const { ops } = await simulate(seed);
      expect(check(INVARIANTS, ops).map(describeViolation), `seed ${seed}`).toEqual([]);
    }
  });

  it('is one of at least twenty, with a name of its own', () => {
    expect(BUGS.length).toBeGreaterThanOrEqual(20);
    expect(new Set(BUGS.map(({ id }) => id)).size).toBe(BUGS.length);
  });
});
