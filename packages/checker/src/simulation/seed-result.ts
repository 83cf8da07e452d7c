import { INVARIANTS } from '../invariants/all.js';
import { check, describeViolation, type InvariantId } from '../invariants/invariant.js';
import { simulate } from './simulation.js';

/** What is kept of one seed. */
export interface SeedResult {
  readonly seed: number;
  readonly ops: number;
  readonly deliveries: number;
  /** Violations by invariant; empty when there are none. */
  readonly violated: readonly InvariantId[];
  /** The first ones, in words. */
  readonly told: readonly string[];
}

const MOST_TOLD = 3;

export async function runSeed(seed: number): Promise<SeedResult> {
  const { ops, deliveries } = await simulate(seed);
  const violations = check(INVARIANTS, ops);
  return {
    seed,
    ops: ops.length,
    deliveries,
    violated: violations.map(({ invariant }) => invariant),
    told: violations.slice(0, MOST_TOLD).map(describeViolation),
  };
}
