import type { ApplyResult, Change, Write, WriteResult } from '../../store.js';
import type { PlanAhead, Planned, PlannedWrite } from './write-batch.js';

interface Settling<T> {
  readonly resolve: (result: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Something to be carried out, and who waits for it. */
export type Waiting =
  | ({ readonly kind: 'change'; readonly change: Change } & Settling<ApplyResult>)
  | ({
      readonly kind: 'write';
      readonly write: Write;
      /** It takes long to decide: `undefined` until a transaction has found that out, then it is decided before its transaction. */
      ahead?: PlanAhead;
    } & Settling<WriteResult>);

/** UTF-16 code units of the values that it brings. */
export function charsOf(waiting: Waiting): number {
  const changes = waiting.kind === 'change' ? [waiting.change] : waiting.write.changes;
  return changes.reduce((sum, change) => sum + ('data' in change ? change.data.length : 0), 0);
}

/** Changes that it carries. */
export function sizeOf(waiting: Waiting): number {
  return waiting.kind === 'change' ? 1 : waiting.write.changes.length;
}

export function settle(waiting: Waiting, planned: Planned | PlannedWrite): void {
  if ('error' in planned) waiting.reject(planned.error);
  else if (waiting.kind === 'write' && 'commits' in planned) waiting.resolve(planned.result);
  else if (waiting.kind === 'change' && 'commit' in planned) waiting.resolve(planned.result);
}
