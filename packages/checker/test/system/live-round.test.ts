import { expect, it } from 'vitest';
import { describeViolation } from '../../src/invariants/invariant.js';
import { runRound } from '../../src/live/live-round.js';

/**
 * Number of faults. A longer run: `RIVULET_CYCLES=200 npx vitest run packages/checker/test/system/live-round.test.ts`, or `npm run
 * reliability`.
 */
const CYCLES = Number(process.env.RIVULET_CYCLES ?? 6);
const SIZE = { readers: 8, groups: 3, items: 30, workers: 2, lanes: 8, thinkMs: 4 };
const SEED = Number(process.env.RIVULET_ROUND_SEED ?? 1);

it.each([
  ['one Redis', {}],
  ['a Redis Cluster', { cluster: true }],
])(
  `two engines over %s keep the invariants through ${CYCLES} faults (seed ${SEED})`,
  async (what, redis) => {
    const round = await runRound({ ...SIZE, seed: SEED, cycles: CYCLES, engines: 2, ...redis });
    expect(round.violations.map(describeViolation)).toEqual([]);
    expect(round.acknowledged).toBeGreaterThan(0);
    expect(round.deliveries).toBeGreaterThan(0);
    process.stdout.write(
      `two engines over ${what}: ${round.cycles} faults, ${round.acknowledged} acknowledged, ${round.deliveries} deliveries, 0 violations\n`,
    );
  },
  600_000 + CYCLES * 5_000,
);

it(
  `a real engine keeps the invariants through ${CYCLES} faults (seed ${SEED})`,
  async () => {
    const round = await runRound({ ...SIZE, seed: SEED, cycles: CYCLES });
    expect(round.violations.map(describeViolation)).toEqual([]);
    expect(round.acknowledged).toBeGreaterThan(0);
    expect(round.deliveries).toBeGreaterThan(0);
    process.stdout.write(
      `real engine: ${round.cycles} faults, ${round.acknowledged} acknowledged, ${round.deliveries} deliveries, 0 violations\n`,
    );
  },
  600_000 + CYCLES * 5_000,
);
