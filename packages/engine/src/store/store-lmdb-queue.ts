import { LIMITS, RivuletError } from '@rivulet/protocol';
import type { ApplyResult, Change, Write, WriteResult } from './store.js';
import { type Admission, admit } from './store-lmdb-admission.js';
import type { Planned, PlannedWrite } from './store-lmdb-batch.js';

interface Settling<T> {
  readonly resolve: (result: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Something to be carried out, and who waits for it. */
export type Waiting =
  | ({ readonly kind: 'change'; readonly change: Change } & Settling<ApplyResult>)
  | ({ readonly kind: 'write'; readonly write: Write } & Settling<WriteResult>);

/** What waits for the next transaction, in the order of arrival. */
export class WriteQueue {
  #waiting: Waiting[] = [];
  /** Changes of all of them: a write may have many. */
  #changes = 0;

  get length(): number {
    return this.#waiting.length;
  }

  /** Throws OVERLOADED. */
  requireRoom(changes: number): void {
    if (this.#changes + changes > LIMITS.queuedWrites)
      throw new RivuletError('OVERLOADED', `more than ${LIMITS.queuedWrites} writes wait; slow down`);
  }

  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#changes += sizeOf(waiting);
  }

  /** Takes what the next transaction carries; what can't be written now is refused. */
  take(admission: Admission): { readonly batch: readonly Waiting[]; readonly budget: number } {
    const { batch, left, budget } = admit(this.#waiting, admission);
    this.#waiting = left;
    this.#changes = left.length === 0 ? 0 : left.reduce((sum, waiting) => sum + sizeOf(waiting), 0);
    return { batch, budget };
  }
}

export function sizeOf(waiting: Waiting): number {
  return waiting.kind === 'change' ? 1 : waiting.write.changes.length;
}

export function settle(waiting: Waiting, planned: Planned | PlannedWrite): void {
  if ('error' in planned) waiting.reject(planned.error);
  else if (waiting.kind === 'write' && 'commits' in planned) waiting.resolve(planned.result);
  else if (waiting.kind === 'change' && 'commit' in planned) waiting.resolve(planned.result);
}
