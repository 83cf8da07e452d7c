import type { RivuletError } from '@rivulet/protocol';
import type { Change } from './store.js';
import { BATCH_CHANGES } from './store-lmdb-batch.js';
import type { ReservedOffsets } from './store-lmdb-reserved.js';
import { costOf, type StoreRoom, storeFull } from './store-lmdb-room.js';

interface Asked {
  readonly change: Change;
  readonly reject: (error: unknown) => void;
}

export interface Admission {
  /** Why nothing can be written at all any more; `undefined` while it can. */
  readonly failure: RivuletError | undefined;
  readonly room: StoreRoom;
  readonly reserved: ReservedOffsets;
}

export interface Admitted<T> {
  /** In order, for one transaction. */
  readonly batch: T[];
  readonly left: T[];
  /** What the transaction may add to the data file at most, in bytes. */
  readonly budget: number;
}

/**
 * Takes from the queue what the next transaction carries, and refuses what can't be written now. Events that need no write always go
 * on; while the disk is full so do deletes, as long as there is room for them.
 */
export function admit<T extends Asked>(queue: readonly T[], { failure, room, reserved }: Admission): Admitted<T> {
  const batch: T[] = [];
  let budget = room.forNext();
  let forDeletes = false;
  let spent = 0;
  let at = 0;
  for (; at < queue.length && batch.length < BATCH_CHANGES; at++) {
    const asked = queue[at] as T;
    const { change } = asked;
    if (reserved.take(change)) {
      batch.push(asked);
      continue;
    }
    if (failure !== undefined) {
      asked.reject(failure);
      continue;
    }
    if (room.full && change.kind !== 'delete') {
      asked.reject(storeFull());
      continue;
    }
    const cost = costOf('data' in change ? change.data.length : 0);
    if (change.kind === 'delete' && spent + cost > budget && !forDeletes) {
      forDeletes = true;
      budget = Math.max(budget, room.forDeletes());
    }
    if (cost > budget) {
      asked.reject(storeFull());
      continue;
    }
    if (spent + cost > budget) break;
    spent += cost;
    batch.push(asked);
  }
  room.spend(spent);
  return { batch, left: at === queue.length ? [] : queue.slice(at), budget };
}
