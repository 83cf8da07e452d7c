import { LIMITS, type RivuletError } from '@rivulet/protocol';
import { BATCH_CHARS } from '../../shared/batch-limits.js';
import { costOf, type StoreRoom, storeFull } from './disk-space.js';
import type { ReservedOffsets } from './reserved.js';
import { charsOf, sizeOf, type Waiting } from './waiting.js';

/** Changes that one transaction carries; a write that begins within it is carried whole. */
const BATCH_CHANGES = Math.min(2_048, LIMITS.queuedWrites);

export interface Admission {
  /** Why nothing can be written at all any more; `undefined` while it can. */
  readonly failure: RivuletError | undefined;
  readonly room: StoreRoom;
  readonly reserved: ReservedOffsets;
}

export interface Admitted {
  /** In order, for one transaction. */
  readonly batch: Waiting[];
  readonly left: Waiting[];
  /** What the transaction may add to the data file at most, in bytes. */
  readonly budget: number;
}

/**
 * Takes from the queue what the next transaction carries, and refuses what can't be written now. Events that need no write always go
 * on; while the disk is full so do deletes, as long as there is room for them.
 */
export function admit(queue: readonly Waiting[], { failure, room, reserved }: Admission): Admitted {
  const batch: Waiting[] = [];
  let budget = room.forNext();
  let forDeletes = false;
  let spent = 0;
  let changes = 0;
  let chars = 0;
  let at = 0;
  for (; at < queue.length && changes < BATCH_CHANGES && chars < BATCH_CHARS; at++) {
    const asked = queue[at] as Waiting;
    if (asked.kind === 'change' && reserved.take(asked.change)) {
      changes++;
      chars += charsOf(asked);
      batch.push(asked);
      continue;
    }
    if (failure !== undefined) {
      asked.reject(failure);
      continue;
    }
    const deletes = onlyDeletes(asked);
    if (room.full && !deletes) {
      asked.reject(storeFull());
      continue;
    }
    const cost = costOfWaiting(asked);
    if (deletes && spent + cost > budget && !forDeletes) {
      forDeletes = true;
      budget = Math.max(budget, room.forDeletes());
    }
    if (cost > budget) {
      asked.reject(storeFull());
      continue;
    }
    if (spent + cost > budget) break;
    spent += cost;
    changes += sizeOf(asked);
    chars += charsOf(asked);
    batch.push(asked);
  }
  room.spend(spent);
  return { batch, left: at === queue.length ? [] : queue.slice(at), budget };
}

function onlyDeletes(asked: Waiting): boolean {
  return asked.kind === 'change' ? asked.change.kind === 'delete' : asked.write.changes.every(({ kind }) => kind === 'delete');
}

/** Returns what it may add to the data file, in bytes; the value that an update computes is not known yet. */
export function costOfWaiting(asked: Waiting): number {
  if (asked.kind === 'change') return costOfChange(asked.change);
  const remembered = asked.write.once === undefined ? 0 : costOf(0);
  return asked.write.changes.reduce((sum, change) => sum + costOfChange(change), remembered);
}

function costOfChange(change: object): number {
  return costOf('data' in change && typeof change.data === 'string' ? change.data.length : 0);
}
