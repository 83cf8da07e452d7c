import { LIMITS, RivuletError } from '@rivulet/protocol';
import { WorkSlots } from '../../structures/work-slots.js';

/** Lists that are read at the same time: each may hold as much text as a message. */
const LISTS_AT_ONCE = 4;

/** Bounds the lists that are read at the same time. */
export class ListSlots {
  readonly #slots = new WorkSlots(LISTS_AT_ONCE, LIMITS.queuedLists);

  /** Rejects with OVERLOADED when too many wait. */
  run<T>(list: () => Promise<T>): Promise<T> {
    if (!this.#slots.full) return this.#slots.run(list);
    return Promise.reject(
      new RivuletError('OVERLOADED', `more than ${LIMITS.queuedLists} lists wait; wait for the answers of earlier ones`),
    );
  }
}
