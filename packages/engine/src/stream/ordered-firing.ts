import { LIMITS } from '@rivulet/protocol';

/**
 * Runs asynchronous firings of one trigger binding: in order within a lane, lanes beside each other, at most once each. What runs and
 * what waits are bounded; the oldest waiting firing is dropped for a new one, counted, never silently.
 */
export class OrderedFiring {
  /** Lanes that run, with what waits behind. */
  readonly #lanes = new Map<string, Firing[]>();
  /** Lanes that wait for another to end, in order of their first firing; never empty. */
  readonly #held = new Map<string, Firing[]>();
  /** Everything not started yet, oldest first. */
  readonly #waiting = new Set<Firing>();
  readonly #onDrop: () => void;
  #closed = false;
  dropped = 0;

  constructor(onDrop: () => void) {
    this.#onDrop = onDrop;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** `run` must not reject. */
  enqueue(lane: string, run: () => Promise<unknown>): void {
    if (this.#closed) return;
    if (this.#lanes.size < LIMITS.pendingPerTrigger && !this.#lanes.has(lane) && !this.#held.has(lane)) {
      this.#start(lane, [], run);
      return;
    }
    if (this.#waiting.size >= LIMITS.pendingPerTrigger) this.#dropOldest();
    const firing: Firing = { lane, run };
    this.#waiting.add(firing);
    const queue = this.#queueOf(lane);
    if (queue === undefined) this.#held.set(lane, [firing]);
    else queue.push(firing);
  }

  /** Forgets what waits; what runs ends by itself. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#held.clear();
    for (const lane of this.#lanes.values()) lane.length = 0;
  }

  #start(lane: string, queue: Firing[], first: () => Promise<unknown>): void {
    this.#lanes.set(lane, queue);
    void this.#drain(lane, queue, first);
  }

  async #drain(lane: string, queue: Firing[], first: () => Promise<unknown>): Promise<void> {
    await first();
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      this.#waiting.delete(next);
      await next.run();
    }
    this.#lanes.delete(lane);
    this.#startHeld();
  }

  #startHeld(): void {
    const [lane, queue] = this.#held.entries().next().value ?? [];
    const first = queue?.shift();
    if (lane === undefined || queue === undefined || first === undefined) return;
    this.#held.delete(lane);
    this.#waiting.delete(first);
    this.#start(lane, queue, first.run);
  }

  #dropOldest(): void {
    const oldest = this.#waiting.values().next().value;
    if (oldest === undefined) return;
    this.#waiting.delete(oldest);
    // What waits longest of all waits longest in its lane.
    const queue = this.#queueOf(oldest.lane);
    queue?.shift();
    if (queue?.length === 0) this.#held.delete(oldest.lane);
    this.dropped++;
    this.#onDrop();
  }

  #queueOf(lane: string): Firing[] | undefined {
    return this.#lanes.get(lane) ?? this.#held.get(lane);
  }
}

interface Firing {
  readonly lane: string;
  readonly run: () => Promise<unknown>;
}
