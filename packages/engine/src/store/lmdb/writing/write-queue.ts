import { LIMITS, RivuletError } from '@rivulet/protocol';
import { BATCH_CHARS } from '../../shared/batch-limits.js';
import { FairQueue } from '../../shared/fair-queue.js';
import type { ReservedOffsets } from '../tables/head-cache.js';
import { costOf, type DiskBudget, storeFull } from './disk-space.js';
import { charsOf, type QueuedWrite, sizeOf } from './queued-write.js';

/** Changes that one transaction carries. A write that begins within this limit is carried whole. */
const BATCH_CHANGES = Math.min(2_048, LIMITS.queuedWrites);

export interface Admission {
  /** Why the store is read-only; `undefined` while it can be written to. */
  readonly failure: RivuletError | undefined;
  readonly disk: DiskBudget;
  readonly reserved: ReservedOffsets;
}

export interface Admitted {
  /** The writes of one transaction, in their order. */
  readonly batch: readonly QueuedWrite[];
  /** Bytes that the transaction may add to the data file. */
  readonly budget: number;
}

/** The writes that wait for a transaction. Sessions take turns, see `FairQueue`. */
export class WriteQueue {
  readonly #queue = new FairQueue<QueuedWrite>();
  /** Changes of all writes: one write may have many. */
  #changes = 0;

  /** Number of writes. */
  get length(): number {
    return this.#queue.length;
  }

  /** Throws OVERLOADED when the queue has no room for this many changes more. */
  requireCapacity(changes: number): void {
    if (this.#changes + changes > LIMITS.queuedWrites)
      throw new RivuletError('OVERLOADED', `more than ${LIMITS.queuedWrites} writes wait; slow down`);
  }

  add(queued: QueuedWrite): void {
    this.#queue.add(queued);
    this.#changes += sizeOf(queued);
  }

  /** Puts writes of the last batch, for which the transaction had no time, before all others. */
  putBack(writes: readonly QueuedWrite[]): void {
    this.#queue.putBack(writes);
    for (const each of writes) this.#changes += sizeOf(each);
  }

  /**
   * Removes the writes of the next transaction and rejects the ones that cannot be written now. Events that need no write always pass.
   * While the disk is full, deletes pass too, as long as the disk has room for them.
   */
  take({ failure, disk, reserved }: Admission): Admitted {
    const batch: QueuedWrite[] = [];
    let budget = disk.forNext();
    let isForDeletes = false;
    let spent = 0;
    let changes = 0;
    let chars = 0;
    while (changes < BATCH_CHANGES && chars < BATCH_CHARS) {
      const next = this.#queue.peek();
      if (next === undefined) break;
      const isReserved = next.kind === 'change' && reserved.take(next.change);
      const deletes = onlyDeletes(next);
      const cost = isReserved ? 0 : costOfWrite(next);
      if (!isReserved && deletes && spent + cost > budget && !isForDeletes) {
        isForDeletes = true;
        budget = Math.max(budget, disk.forDeletes());
      }
      const refusal = isReserved ? undefined : (failure ?? ((disk.full && !deletes) || cost > budget ? storeFull() : undefined));
      if (refusal === undefined && spent + cost > budget) break;
      this.#shift(next);
      if (refusal !== undefined) {
        next.reject(refusal);
        continue;
      }
      spent += cost;
      changes += sizeOf(next);
      chars += charsOf(next);
      batch.push(next);
    }
    disk.spend(spent);
    return { batch, budget };
  }

  #shift(queued: QueuedWrite): void {
    this.#queue.shift();
    this.#changes -= sizeOf(queued);
  }
}

function onlyDeletes(queued: QueuedWrite): boolean {
  return queued.kind === 'change' ? queued.change.kind === 'delete' : queued.write.changes.every(({ kind }) => kind === 'delete');
}

/** Returns the bytes that the write may add to the data file. The value that an update computes is not known yet and counts as empty. */
export function costOfWrite(queued: QueuedWrite): number {
  if (queued.kind === 'change') return costOfChange(queued.change);
  const remembered = queued.write.once === undefined ? 0 : costOf(0);
  return queued.write.changes.reduce((sum, change) => sum + costOfChange(change), remembered);
}

function costOfChange(change: object): number {
  return costOf('data' in change && typeof change.data === 'string' ? change.data.length : 0);
}
