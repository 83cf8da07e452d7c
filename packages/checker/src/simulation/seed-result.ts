import { INVARIANTS } from '../invariants/all.js';
import { check, describeViolation, type InvariantId } from '../invariants/invariant.js';
import { type Run, simulate } from './simulation.js';

/** What is kept of one seed. */
export interface SeedResult {
  readonly seed: number;
  readonly ops: number;
  readonly deliveries: number;
  /** Violations by invariant; empty when there are none. */
  readonly violated: readonly InvariantId[];
  /** The first ones, in words. */
  readonly descriptions: readonly string[];
}

const MOST_DESCRIBED = 3;

/** A world that ends with an error, such as bytes that are no frames, counts as one that breaks I4: nobody got what came after. */
export async function runSeed(seed: number): Promise<SeedResult> {
  let run: Run;
  try {
    run = await simulate(seed);
  } catch (error) {
    return {
      seed,
      ops: 0,
      deliveries: 0,
      violated: ['I4'],
      descriptions: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    };
  }
  const { ops, deliveries } = run;
  const violations = check(INVARIANTS, ops);
  return {
    seed,
    ops: ops.length,
    deliveries,
    violated: violations.map(({ invariant }) => invariant),
    descriptions: violations.slice(0, MOST_DESCRIBED).map(describeViolation),
  };
}
