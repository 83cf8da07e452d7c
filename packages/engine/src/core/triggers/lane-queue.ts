import { LIMITS } from '@rivulet/protocol';
import type { TriggerCounts } from '../fabric/call-counts.js';
import type { EventQueue, PendingEvent } from '../fabric/event-budget.js';
import type { FiringScheduler } from '../fabric/firing-scheduler.js';

/**
 * Runs the firings of one trigger binding, each at most once. Firings of one lane run in order. Lanes run beside each other.
 *
 * enqueue ──▶ waiting ──(capacity)──▶ running ──▶ ended, and the next firing of the lane
 *
 * The number and the text of the running and waiting firings are bounded. The queue drops its oldest waiting firing for a new one, counts
 * it and reports it.
 */
export class LaneQueue implements EventQueue {
  /** Running lanes, with the firings that wait behind in each. */
  readonly #lanes = new Map<string, Firing[]>();
  /** Lanes that wait for capacity, in the order of their turn. None is empty. */
  readonly #waitingLanes = new Map<string, Firing[]>();
  /** Firings that have not started, oldest first. */
  readonly #waiting = new Set<Firing>();
  readonly #scheduler: FiringScheduler;
  readonly #counts: TriggerCounts;
  readonly #onDrop: () => void;
  #runningChars = 0;
  #waitingChars = 0;
  #closed = false;

  /** @param counts Counts of all bindings of the type. */
  constructor(scheduler: FiringScheduler, counts: TriggerCounts, onDrop: () => void) {
    this.#scheduler = scheduler;
    this.#counts = counts;
    this.#onDrop = onDrop;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Queues a firing. It has a hold of its own on the event until it ends or is dropped. The scheduler logs an error of `run`. */
  enqueue(lane: string, run: () => Promise<unknown>, event: PendingEvent): void {
    if (this.#closed) return;
    const firing: Firing = { lane, run, event };
    event.hold();
    if (!this.#lanes.has(lane) && !this.#waitingLanes.has(lane) && this.#hasCapacity(firing)) {
      this.#start(firing, []);
      return;
    }
    while (this.#waiting.size >= LIMITS.pendingPerTrigger || (this.#waiting.size > 0 && this.#isTooMuch(event.chars))) this.dropOldest();
    this.#waiting.add(firing);
    this.#counts.queued++;
    this.#waitingChars += event.chars;
    event.waits(this);
    const queue = this.#queueOf(lane);
    if (queue === undefined) this.#waitingLanes.set(lane, [firing]);
    else queue.push(firing);
  }

  dropOldest(): void {
    const oldest = this.#waiting.values().next().value;
    if (oldest === undefined) return;
    this.#forget(oldest);
    oldest.event.release();
    // The oldest firing of all is also the oldest of its lane.
    const queue = this.#queueOf(oldest.lane);
    queue?.shift();
    if (queue?.length === 0) this.#waitingLanes.delete(oldest.lane);
    this.drop();
  }

  /** Counts an event that was dropped. */
  drop(): void {
    this.#counts.dropped++;
    this.#onDrop();
  }

  /** Drops the firings that wait. Running ones end by themselves. */
  close(): void {
    this.#closed = true;
    for (const firing of this.#waiting) {
      this.#forget(firing);
      firing.event.release();
    }
    this.#waitingLanes.clear();
    for (const lane of this.#lanes.values()) lane.length = 0;
  }

  #start(firing: Firing, queue: Firing[]): void {
    this.#lanes.set(firing.lane, queue);
    this.#runningChars += firing.event.chars;
    this.#scheduler.start(() => this.#run(firing, queue));
  }

  async #run({ lane, run, event }: Firing, queue: Firing[]): Promise<void> {
    // The queue may have been closed before this firing started.
    try {
      if (!this.#closed) await run();
    } finally {
      this.#runningChars -= event.chars;
      event.release();
      this.#lanes.delete(lane);
      // The lane goes behind the lanes that wait longer.
      if (queue.length > 0) this.#waitingLanes.set(lane, queue);
      this.#startWaiting();
    }
  }

  #startWaiting(): void {
    for (const [lane, queue] of this.#waitingLanes) {
      const first = queue[0];
      if (first === undefined || !this.#hasCapacity(first)) return;
      queue.shift();
      this.#waitingLanes.delete(lane);
      this.#forget(first);
      this.#start(first, queue);
    }
  }

  /** Returns whether a firing may run now. One firing may always run. */
  #hasCapacity({ event }: Firing): boolean {
    if (this.#lanes.size === 0) return true;
    return this.#lanes.size < LIMITS.pendingPerTrigger && this.#runningChars + event.chars <= LIMITS.pendingTriggerChars;
  }

  #isTooMuch(chars: number): boolean {
    return this.#waitingChars + chars > LIMITS.pendingTriggerChars;
  }

  #forget(firing: Firing): void {
    this.#waiting.delete(firing);
    this.#counts.queued--;
    this.#waitingChars -= firing.event.chars;
    firing.event.waitsNoLonger(this);
  }

  #queueOf(lane: string): Firing[] | undefined {
    return this.#lanes.get(lane) ?? this.#waitingLanes.get(lane);
  }
}

interface Firing {
  readonly lane: string;
  readonly run: () => Promise<unknown>;
  readonly event: PendingEvent;
}
