import { LIMITS, RivuletError } from '@rivulet/protocol';
import { type Admission, admit } from './admission.js';
import { sizeOf, type Waiting } from './waiting.js';

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

  /** What was taken and is not written yet comes first again. */
  putBack(waiting: readonly Waiting[]): void {
    this.#waiting = [...waiting, ...this.#waiting];
    for (const each of waiting) this.#changes += sizeOf(each);
  }

  /** Takes what the next transaction carries; what can't be written now is refused. */
  take(admission: Admission): { readonly batch: readonly Waiting[]; readonly budget: number } {
    const { batch, left, budget } = admit(this.#waiting, admission);
    this.#waiting = left;
    this.#changes = left.length === 0 ? 0 : left.reduce((sum, waiting) => sum + sizeOf(waiting), 0);
    return { batch, budget };
  }
}
