import { INVARIANTS } from '../invariants/all.js';
import { check, describeViolation, type InvariantId } from '../invariants/invariant.js';
import { type Run, simulate } from './simulation.js';

/** Result of one seed. */
export interface SeedResult {
  readonly seed: number;
  readonly ops: number;
  readonly deliveries: number;
  /** Violated invariants; empty if there are none. */
  readonly violated: readonly InvariantId[];
  /** Descriptions of the first violations. */
  readonly descriptions: readonly string[];
}

const MOST_DESCRIBED = 3;

/**
 * Runs one seed. A simulation that throws, for instance at invalid frames, counts as a violation of I4, because no later change arrived.
 */
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
