import { LIMITS } from '@rivulet/protocol';
import { ByteBudget } from '../../structures/byte-budget.js';

/** Somebody with whom events wait. */
export interface EventQueue {
  /** Gives up the event that waits longest with it. */
  dropOldest(): void;
}

/**
 * The text of the events that wait for bindings or are being handled, of the whole engine. An event counts once, however many bindings
 * have it. The one that waits longest anywhere goes for a new one.
 */
export class EventBudget {
  readonly #bytes = new ByteBudget(LIMITS.heldTriggerChars);
  /** Those that wait with somebody, oldest first. */
  readonly #waiting = new Set<PendingEvent>();

  /** One hold on a new event of `chars` UTF-16 code units. `undefined`: what is being handled leaves no room for it. */
  hold(chars: number): PendingEvent | undefined {
    while (!this.#bytes.take(chars)) {
      const oldest = this.#waiting.values().next().value;
      if (oldest === undefined) return undefined;
      oldest.drop();
    }
    return new PendingEvent(chars, this.#bytes, this.#waiting);
  }
}

/** An event that is held by those who wait with it or handle it. */
export class PendingEvent {
  readonly chars: number;
  readonly #bytes: ByteBudget;
  readonly #allWaiting: Set<PendingEvent>;
  readonly #waitsWith = new Set<EventQueue>();
  #holds = 1;

  /** Made by `EventBudget`, with one hold. */
  constructor(chars: number, bytes: ByteBudget, allWaiting: Set<PendingEvent>) {
    this.chars = chars;
    this.#bytes = bytes;
    this.#allWaiting = allWaiting;
  }

  hold(): void {
    this.#holds++;
  }

  /** Each hold is released once. */
  release(): void {
    this.#holds--;
    if (this.#holds === 0) this.#bytes.give(this.chars);
  }

  /** It waits with `queue`, behind all that wait there. */
  waits(queue: EventQueue): void {
    this.#waitsWith.add(queue);
    this.#allWaiting.add(this);
  }

  waitsNoLonger(queue: EventQueue): void {
    this.#waitsWith.delete(queue);
    if (this.#waitsWith.size === 0) this.#allWaiting.delete(this);
  }

  /** Whoever it waits with gives it up. It must be the oldest that waits anywhere: then it is the oldest with each of them. */
  drop(): void {
    for (const queue of this.#waitsWith) queue.dropOldest();
  }
}
