import { noLostWrite } from './i01-no-lost-write.js';
import { oneValue } from './i02-one-value.js';
import { realTimeOrder } from './i03-real-time-order.js';
import { contiguity } from './i04-contiguity.js';
import { monotonic } from './i05-monotonic.js';
import { noDuplicates } from './i06-no-duplicates.js';
import { exactState } from './i07-exact-state.js';
import { convergence } from './i08-convergence.js';
import { noFailedWrite } from './i09-no-failed-write.js';
import { durabilityGate } from './i10-durability-gate.js';
import { authorization } from './i11-authorization.js';
import { invocation } from './i12-invocation.js';
import { liveness } from './i13-liveness.js';
import { resources } from './i14-resources.js';
import type { Invariant } from './invariant.js';

/** Invariants I1 to I14, in this order. */
export const INVARIANTS: readonly Invariant[] = [
  noLostWrite,
  oneValue,
  realTimeOrder,
  contiguity,
  monotonic,
  noDuplicates,
  exactState,
  convergence,
  noFailedWrite,
  durabilityGate,
  authorization,
  invocation,
  liveness,
  resources,
];

/** Invariants that need deliveries only and keep little state, for runs of millions of deliveries. */
export const DELIVERY_INVARIANTS: readonly Invariant[] = [contiguity, monotonic, noDuplicates];
