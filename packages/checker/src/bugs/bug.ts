import type { InvariantId } from '../invariants/invariant.js';
import { type Faults, NO_FAULTS } from '../simulation/faults.js';

/** A deliberate bug. It replaces correct behaviour during a simulation, and the engine contains none of its code. */
export interface Bug {
  readonly id: string;
  readonly says: string;
  /** The invariant that the bug violates first of all. Others may find it too. */
  readonly breaks: InvariantId;
  /** Makes new faults for each run, so that no state of one run stays for the next. */
  make(): Faults;
}

export function bug(id: string, breaks: InvariantId, says: string, make: () => Partial<Faults>): Bug {
  return { id, breaks, says, make: () => ({ ...NO_FAULTS, ...make() }) };
}

/** Returns a function that is true once in `count` calls. A bug that occurs each time would be too easy to find. */
export function onceIn(count: number): () => boolean {
  let calls = 0;
  return () => ++calls % count === 0;
}
