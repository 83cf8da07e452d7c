import type { ApplyResult, Change, Write, WriteResult } from './store.js';
import type { Planned, PlannedWrite } from './store-lmdb-batch.js';

interface Settling<T> {
  readonly resolve: (result: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Something to be carried out, and who waits for it. */
export type Waiting =
  | ({ readonly kind: 'change'; readonly change: Change } & Settling<ApplyResult>)
  | ({ readonly kind: 'write'; readonly write: Write } & Settling<WriteResult>);

/** Changes that it carries. */
export function sizeOf(waiting: Waiting): number {
  return waiting.kind === 'change' ? 1 : waiting.write.changes.length;
}

export function settle(waiting: Waiting, planned: Planned | PlannedWrite): void {
  if ('error' in planned) waiting.reject(planned.error);
  else if (waiting.kind === 'write' && 'commits' in planned) waiting.resolve(planned.result);
  else if (waiting.kind === 'change' && 'commit' in planned) waiting.resolve(planned.result);
}
