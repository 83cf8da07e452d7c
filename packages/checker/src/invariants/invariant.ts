import type { Op } from '../history/op.js';

export type InvariantId = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10' | 'I11' | 'I12' | 'I13' | 'I14';

/** What a history does against an invariant, with the operations that show it. */
export interface Violation {
  readonly invariant: InvariantId;
  readonly says: string;
  readonly ops: readonly Op[];
}

/** One pass over one history. */
export interface Pass {
  see(op: Op): void;
  /** Called once, after the last operation. */
  end(): void;
}

/** A rule that every history must keep. */
export interface Invariant {
  readonly id: InvariantId;
  readonly name: string;
  /** Begins a pass; `report` gets what it finds. */
  begin(report: Report): Pass;
}

export type Report = (says: string, ...ops: readonly (Op | undefined)[]) => void;

/** Kept of one invariant and history: the first ones tell what happened, ten thousand tell no more. */
const MOST_VIOLATIONS = 20;

/** Several invariants over one history, as it comes. */
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

/** Checks a whole history. */
export function check(invariants: readonly Invariant[], ops: Iterable<Op>): readonly Violation[] {
  const checking = new Check(invariants);
  for (const op of ops) checking.see(op);
  return checking.end();
}

/** A violation as a page of text: the rule, what is wrong, and the lines of the history. */
export function describeViolation({ invariant, says, ops }: Violation): string {
  return [`${invariant}: ${says}`, ...ops.map((op) => `    ${JSON.stringify(op)}`)].join('\n');
}
