import type { StreamJoin } from '@rivulet/protocol';
import type { GroupRef } from '../../store/store.js';

/** Removed joins that the queue keeps before it copies the others. */
const REMOVED_KEPT = 64;

interface JoinsOfId {
  /** Joins with this subscription id that are in the queue. */
  waiting: number;
  /** Joins that were added before this number are cancelled. */
  cancelledBefore: number;
}

/**
 * The joins of one session that wait for their join functions, first come, first served. Every operation takes the same time, whatever
 * the number of joins: a client may send 65,536 joins and as many leaves.
 */
export class PendingJoins {
  #queue: { readonly message: StreamJoin; readonly number: number }[] = [];
  /** Index of the first join in `#queue`. */
  #first = 0;
  #added = 0;
  #allCancelled = false;
  readonly #byId = new Map<string, JoinsOfId>();

  /** Joins in the queue, the cancelled ones included. */
  get size(): number {
    return this.#queue.length - this.#first;
  }

  /** The oldest join. It stays the first until `shift`, also while its functions run. */
  get first(): StreamJoin | undefined {
    return this.#queue[this.#first]?.message;
  }

  /** The client has left the first join, or the session is closed. */
  get isFirstCancelled(): boolean {
    const first = this.#queue[this.#first];
    if (first === undefined) return false;
    return this.#allCancelled || first.number < (this.#byId.get(first.message.subscriptionId)?.cancelledBefore ?? 0);
  }

  add(message: StreamJoin): void {
    this.#queue.push({ message, number: this.#added++ });
    const same = this.#byId.get(message.subscriptionId);
    if (same === undefined) this.#byId.set(message.subscriptionId, { waiting: 1, cancelledBefore: 0 });
    else same.waiting++;
  }

  /** Removes the first join. */
  shift(): void {
    const first = this.#queue[this.#first];
    if (first === undefined) return;
    this.#first++;
    const { subscriptionId } = first.message;
    const same = this.#byId.get(subscriptionId);
    if (same !== undefined && --same.waiting === 0) this.#byId.delete(subscriptionId);
    if (this.#first < REMOVED_KEPT || this.#first * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
  }

  /** Returns whether a join of the group is in the queue. */
  waitsFor({ stream, group }: GroupRef): boolean {
    return this.#queue.some(({ message }, index) => index >= this.#first && message.streamName === stream && message.groupId === group);
  }

  /** Cancels all joins with this subscription id that were added until now. */
  cancel(subscriptionId: string): void {
    const same = this.#byId.get(subscriptionId);
    if (same !== undefined) same.cancelledBefore = this.#added;
  }

  /** Cancels all joins, because the session is closed. */
  cancelAll(): void {
    this.#allCancelled = true;
  }
}
