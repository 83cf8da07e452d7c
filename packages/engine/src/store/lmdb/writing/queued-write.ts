import type { Queued } from '../../shared/fair-queue.js';
import type { ApplyResult, Change, Write, WriteResult } from '../../store.js';
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
  const changes = queued.kind === 'change' ? [queued.change] : queued.write.changes;
  return changes.reduce((sum, change) => sum + ('data' in change ? change.data.length : 0), 0);
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
