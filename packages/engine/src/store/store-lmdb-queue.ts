import { LIMITS, RivuletError } from '@rivulet/protocol';
import type { ApplyResult, Change, Write, WriteResult } from './store.js';
import type { Planned, PlannedWrite } from './store-lmdb-batch.js';

/** Changes that one transaction carries; a write that begins within it is carried whole. */
export const BATCH_CHANGES = Math.min(4_096, LIMITS.queuedWrites);

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

  /** What goes into one transaction. */
  take(): readonly Waiting[] {
    const all = this.#waiting;
    let taken = all.length;
    let changes = this.#changes;
    if (changes > BATCH_CHANGES) {
      taken = 0;
      changes = 0;
      for (; changes < BATCH_CHANGES; taken++) changes += sizeOf(all[taken] as Waiting);
    }
    this.#changes -= changes;
    if (taken === all.length) {
      this.#waiting = [];
      return all;
    }
    this.#waiting = all.slice(taken);
    return all.slice(0, taken);
  }
}

function sizeOf(waiting: Waiting): number {
  return waiting.kind === 'change' ? 1 : waiting.write.changes.length;
}

export function settle(waiting: Waiting, planned: Planned | PlannedWrite): void {
  if ('error' in planned) waiting.reject(planned.error);
  else if (waiting.kind === 'write' && 'commits' in planned) waiting.resolve(planned.result);
  else if (waiting.kind === 'change' && 'commit' in planned) waiting.resolve(planned.result);
}
