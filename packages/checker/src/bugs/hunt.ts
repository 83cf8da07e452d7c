import { INVARIANTS } from '../invariants/all.js';
import { check, type InvariantId, type Violation } from '../invariants/invariant.js';
import { simulate } from '../simulation/simulation.js';
import { ACCESS_BUGS } from './access-bugs.js';
import type { Bug } from './bug.js';
import { DELIVERY_BUGS } from './delivery-bugs.js';
import { EVENT_BUGS } from './event-bugs.js';
import { STORE_BUGS } from './store-bugs.js';
import { WIRE_BUGS } from './wire-bugs.js';

/** All deliberate bugs. */
export const BUGS: readonly Bug[] = [...STORE_BUGS, ...DELIVERY_BUGS, ...WIRE_BUGS, ...EVENT_BUGS, ...ACCESS_BUGS];

export interface Hunted {
  readonly bug: Bug;
  /** The first seed that shows the bug; undefined if no seed of the run does. */
  readonly seed: number | undefined;
  /** Invariants that found the bug in that seed. */
  readonly caughtBy: readonly InvariantId[];
  readonly first: Violation | undefined;
}

/** Runs seeds with the bug until the checker finds it. */
export async function hunt(bug: Bug, seeds: Iterable<number>): Promise<Hunted> {
  for (const seed of seeds) {
    const { ops } = await simulate(seed, bug.make());
    const violations = check(INVARIANTS, ops);
    if (violations.length === 0) continue;
    const first = violations.find(({ invariant }) => invariant === bug.breaks) ?? violations[0];
    return { bug, seed, caughtBy: [...new Set(violations.map(({ invariant }) => invariant))], first };
  }
  return { bug, seed: undefined, caughtBy: [], first: undefined };
}
