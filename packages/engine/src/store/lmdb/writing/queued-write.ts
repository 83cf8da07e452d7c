import type { Queued } from '../../shared/fair-queue.js';
import type { ApplyResult, Change, Write, WriteChange, WriteResult } from '../../store.js';
import type { PlanAhead, Planned, PlannedWrite } from './write-batch.js';

interface Settling<T> extends Queued {
  readonly resolve: (result: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A change or a write that waits for a transaction, with the promise of its caller. */
export type QueuedWrite =
  | ({ readonly kind: 'change'; readonly change: Change } & Settling<ApplyResult>)
  | ({
      readonly kind: 'write';
      readonly write: Write;
      /** Set when a transaction found that the decision takes too long: the store then decides before the next transaction. */
      ahead?: PlanAhead;
    } & Settling<WriteResult>);

/** Returns the UTF-16 code units of the values that the write brings. */
export function charsOf(queued: QueuedWrite): number {
  if (queued.kind === 'change') return charsOfChange(queued.change);
  return queued.write.changes.reduce((sum, change) => sum + charsOfChange(change), 0);
}

function charsOfChange(change: Change | WriteChange): number {
  return 'data' in change ? change.data.length : 0;
}

/** Returns the number of its changes. */
export function sizeOf(queued: QueuedWrite): number {
  return queued.kind === 'change' ? 1 : queued.write.changes.length;
}

/** Resolves or rejects the promise of the caller. */
export function settle(queued: QueuedWrite, planned: Planned | PlannedWrite): void {
  if ('error' in planned) queued.reject(planned.error);
  // A change gives an ApplyResult, and a write a WriteResult.
  else queued.resolve(planned.result as ApplyResult & WriteResult);
}
