import { LIMITS, RivuletError } from '@rivulet/protocol';
import { WorkSlots } from '../../structures/work-slots.js';

/** Lists that are read at the same time. Each may keep as much text as a message has. */
const LISTS_AT_ONCE = 4;

/** Bounds the lists that are read at the same time. The others wait in line. */
export class ListSlots {
  readonly #slots = new WorkSlots(LISTS_AT_ONCE, LIMITS.queuedLists);

  /** Runs `list` when a slot is free. Rejects with OVERLOADED when `LIMITS.queuedLists` lists wait. */
  run<T>(list: () => Promise<T>): Promise<T> {
    if (!this.#slots.full) return this.#slots.run(list);
    return Promise.reject(
      new RivuletError('OVERLOADED', `more than ${LIMITS.queuedLists} lists wait; wait for the answers of earlier ones`),
    );
  }
}
