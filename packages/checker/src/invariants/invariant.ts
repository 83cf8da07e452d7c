import type { Op } from '../history/op.js';

export type InvariantId = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10' | 'I11' | 'I12' | 'I13' | 'I14';

/** A violation of an invariant, with the operations that show it. */
export interface Violation {
  readonly invariant: InvariantId;
  readonly says: string;
  readonly ops: readonly Op[];
}

/** One pass of one invariant over one history. */
export interface Pass {
  see(op: Op): void;
  /** Ends the pass. It is called once, after the last operation. */
  end(): void;
}

/** A rule that every history must fulfil. */
export interface Invariant {
  readonly id: InvariantId;
  readonly name: string;
  /** Begins a pass. `report` receives its violations. */
  begin(report: Report): Pass;
}

export type Report = (says: string, ...ops: readonly (Op | undefined)[]) => void;

/** Number of violations that are kept for each invariant and history. More would not help. */
const MOST_VIOLATIONS = 20;

/** Checks several invariants over one history while it grows. */
export class Check {
  readonly violations: Violation[] = [];
  readonly #passes: Pass[];
  readonly #counts = new Map<InvariantId, number>();

  constructor(invariants: readonly Invariant[]) {
    this.#passes = invariants.map((invariant) => invariant.begin((says, ...ops) => this.#report(invariant.id, says, ops)));
  }

  see(op: Op): void {
    for (const pass of this.#passes) pass.see(op);
  }

  end(): readonly Violation[] {
    for (const pass of this.#passes) pass.end();
    return this.violations;
  }

  #report(invariant: InvariantId, says: string, ops: readonly (Op | undefined)[]): void {
    const count = (this.#counts.get(invariant) ?? 0) + 1;
    this.#counts.set(invariant, count);
    if (count <= MOST_VIOLATIONS) this.violations.push({ invariant, says, ops: ops.filter((op) => op !== undefined) });
  }
}

/** Checks a whole history and returns all violations. */
export function check(invariants: readonly Invariant[], ops: Iterable<Op>): readonly Violation[] {
  const checking = new Check(invariants);
  for (const op of ops) checking.see(op);
  return checking.end();
}

/** Describes a violation as a page of text: the rule, the problem, and the lines of the history. */
export function describeViolation({ invariant, says, ops }: Violation): string {
  return [`${invariant}: ${says}`, ...ops.map((op) => `    ${JSON.stringify(op)}`)].join('\n');
}
