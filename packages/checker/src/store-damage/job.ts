import type { Expected, Observed } from './observe.js';
import type { ObservedSalvage } from './observe-salvage.js';

/** The work of one process that opens stores. */
export interface Job {
  readonly cases: readonly { readonly directory: string; readonly isComplete: boolean }[];
  readonly expected: Expected;
}

/** The observations of such a process for one damage. `complete`: the same of a copy, through the complete start. */
export interface ObservedCase {
  readonly observed: Observed;
  readonly salvaged: ObservedSalvage;
  readonly complete?: Observed;
}
