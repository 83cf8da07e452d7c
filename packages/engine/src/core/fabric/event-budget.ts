import { LIMITS } from '@rivulet/protocol';
import { ByteBudget } from '../../structures/byte-budget.js';

/** A queue in which events wait. */
export interface EventQueue {
  /** Drops its oldest waiting event. */
  dropOldest(): void;
}

/**
 * Bounds the text of all events that wait for bindings or are being handled, in the whole engine. An event counts once for all of its
 * bindings. When a new event does not fit, the oldest waiting event of the engine is dropped.
 */
export class EventBudget {
  readonly #bytes = new ByteBudget(LIMITS.heldTriggerChars);
  /** Events that wait in at least one queue, oldest first. */
  readonly #waiting = new Set<PendingEvent>();

  /**
   * Returns a new event of `chars` UTF-16 code units, with one hold. `undefined` when the events that are being handled leave no capacity.
   */
  hold(chars: number): PendingEvent | undefined {
    while (!this.#bytes.take(chars)) {
      const oldest = this.#waiting.values().next().value;
      if (oldest === undefined) return undefined;
      oldest.drop();
    }
    return new PendingEvent(chars, this.#bytes, this.#waiting);
  }
}

/** An event that queues and running firings hold. Its text counts until the last hold is released. */
export class PendingEvent {
  readonly chars: number;
  readonly #bytes: ByteBudget;
  readonly #allWaiting: Set<PendingEvent>;
  readonly #waitsWith = new Set<EventQueue>();
  #holds = 1;

  /** Only `EventBudget` calls it. The new event has one hold. */
  constructor(chars: number, bytes: ByteBudget, allWaiting: Set<PendingEvent>) {
    this.chars = chars;
    this.#bytes = bytes;
    this.#allWaiting = allWaiting;
  }

  hold(): void {
    this.#holds++;
  }

  /** Releases one hold. Each hold is released once. */
  release(): void {
    this.#holds--;
    if (this.#holds === 0) this.#bytes.give(this.chars);
  }

  /** Adds the event to those that wait in `queue`. It must stand at the end of that queue. */
  waits(queue: EventQueue): void {
    this.#waitsWith.add(queue);
    this.#allWaiting.add(this);
  }

  waitsNoLonger(queue: EventQueue): void {
    this.#waitsWith.delete(queue);
    if (this.#waitsWith.size === 0) this.#allWaiting.delete(this);
  }

  /**
   * Drops the event from all queues in which it waits. It must be the oldest event of the engine, because then it is the oldest of each
   * queue too.
   */
  drop(): void {
    for (const queue of this.#waitsWith) queue.dropOldest();
  }
}
