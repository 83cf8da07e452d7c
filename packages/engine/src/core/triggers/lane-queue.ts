import { LIMITS } from '@rivulet/protocol';
import type { EventQueue, PendingEvent } from '../fabric/event-budget.js';
import type { FiringScheduler } from '../fabric/firing-scheduler.js';

/**
 * Runs asynchronous firings of one trigger binding: in order within a lane, lanes beside each other, at most once each. What runs and
 * what waits are bounded, in number and in the text of their events; the oldest waiting firing is dropped for a new one, counted, never
 * silently.
 */
export class LaneQueue implements EventQueue {
  /** Lanes that run, with what waits behind. */
  readonly #lanes = new Map<string, Firing[]>();
  /** Lanes that wait for room, in order of their turn; none is empty. */
  readonly #held = new Map<string, Firing[]>();
  /** Everything not started yet, oldest first. */
  readonly #waiting = new Set<Firing>();
  readonly #scheduler: FiringScheduler;
  readonly #onDrop: () => void;
  #runningChars = 0;
  #waitingChars = 0;
  #closed = false;
  dropped = 0;

  constructor(scheduler: FiringScheduler, onDrop: () => void) {
    this.#scheduler = scheduler;
    this.#onDrop = onDrop;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** A failure of `run` is logged by the turns. It has a hold of its own on the event until it has ended, or is dropped. */
  enqueue(lane: string, run: () => Promise<unknown>, event: PendingEvent): void {
    if (this.#closed) return;
    const firing: Firing = { lane, run, event };
    event.hold();
    if (!this.#lanes.has(lane) && !this.#held.has(lane) && this.#hasRoom(firing)) {
      this.#start(firing, []);
      return;
    }
    while (this.#waiting.size >= LIMITS.pendingPerTrigger || (this.#waiting.size > 0 && this.#isTooMuch(event.chars))) this.dropOldest();
    this.#waiting.add(firing);
    this.#waitingChars += event.chars;
    event.waits(this);
    const queue = this.#queueOf(lane);
    if (queue === undefined) this.#held.set(lane, [firing]);
    else queue.push(firing);
  }

  dropOldest(): void {
    const oldest = this.#waiting.values().next().value;
    if (oldest === undefined) return;
    this.#forget(oldest);
    oldest.event.release();
    // What waits longest of all waits longest in its lane.
    const queue = this.#queueOf(oldest.lane);
    queue?.shift();
    if (queue?.length === 0) this.#held.delete(oldest.lane);
    this.drop();
  }

  /** Counts an event that was given up. */
  drop(): void {
    this.dropped++;
    this.#onDrop();
  }

  /** Forgets what waits; what runs ends by itself. */
  close(): void {
    this.#closed = true;
    for (const firing of this.#waiting) {
      this.#forget(firing);
      firing.event.release();
    }
    this.#held.clear();
    for (const lane of this.#lanes.values()) lane.length = 0;
  }

  #start(firing: Firing, queue: Firing[]): void {
    this.#lanes.set(firing.lane, queue);
    this.#runningChars += firing.event.chars;
    this.#scheduler.start(() => this.#run(firing, queue));
  }

  async #run({ lane, run, event }: Firing, queue: Firing[]): Promise<void> {
    // It may have been closed before its turn came.
    try {
      if (!this.#closed) await run();
    } finally {
      this.#runningChars -= event.chars;
      event.release();
      this.#lanes.delete(lane);
      // Behind the lanes that wait longer.
      if (queue.length > 0) this.#held.set(lane, queue);
      this.#startHeld();
    }
  }

  #startHeld(): void {
    for (const [lane, queue] of this.#held) {
      const first = queue[0];
      if (first === undefined || !this.#hasRoom(first)) return;
      queue.shift();
      this.#held.delete(lane);
      this.#forget(first);
      this.#start(first, queue);
    }
  }

  /** Whether it may run now; one always may. */
  #hasRoom({ event }: Firing): boolean {
    if (this.#lanes.size === 0) return true;
    return this.#lanes.size < LIMITS.pendingPerTrigger && this.#runningChars + event.chars <= LIMITS.pendingTriggerChars;
  }

  #isTooMuch(chars: number): boolean {
    return this.#waitingChars + chars > LIMITS.pendingTriggerChars;
  }

  #forget(firing: Firing): void {
    this.#waiting.delete(firing);
    this.#waitingChars -= firing.event.chars;
    firing.event.waitsNoLonger(this);
  }

  #queueOf(lane: string): Firing[] | undefined {
    return this.#lanes.get(lane) ?? this.#held.get(lane);
  }
}

interface Firing {
  readonly lane: string;
  readonly run: () => Promise<unknown>;
  readonly event: PendingEvent;
}
