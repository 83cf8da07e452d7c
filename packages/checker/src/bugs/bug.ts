import type { InvariantId } from '../invariants/invariant.js';
import { type Faults, NO_FAULTS } from '../simulation/faults.js';

/** Something that an engine could do wrong, put in the place of what it does right. The engine holds no line of it. */
export interface Bug {
  readonly id: string;
  readonly says: string;
  /** The invariant whose matter it is; others may find it too. */
  readonly breaks: InvariantId;
  /** Made anew for each run, so that nothing of one run is left in the next. */
  make(): Faults;
}

export function bug(id: string, breaks: InvariantId, says: string, make: () => Partial<Faults>): Bug {
  return { id, breaks, says, make: () => ({ ...NO_FAULTS, ...make() }) };
}

/** True once in so many calls: bugs that always strike are found by anybody. */
export function onceIn(count: number): () => boolean {
  let calls = 0;
  return () => ++calls % count === 0;
}
