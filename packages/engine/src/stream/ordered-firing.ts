import { LIMITS } from '@rivulet/protocol';

/**
 * Runs asynchronous firings of one trigger binding: in order within a lane, lanes beside each other, at most once each. What waits is
 * bounded; the oldest waiting firing is dropped for a new one, counted, never silently.
 */
export class OrderedFiring {
  readonly #lanes = new Map<string, Firing[]>();
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
    const running = this.#lanes.get(lane);
    if (running === undefined) {
      this.#lanes.set(lane, []);
      void this.#drain(lane, run);
      return;
    }
    if (this.#waiting.size >= LIMITS.pendingPerTrigger) this.#dropOldest();
    const firing: Firing = { lane, run };
    running.push(firing);
    this.#waiting.add(firing);
  }

  /** Forgets what waits; what runs ends by itself. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    for (const lane of this.#lanes.values()) lane.length = 0;
  }

  async #drain(lane: string, first: () => Promise<unknown>): Promise<void> {
    await first();
    const queue = this.#lanes.get(lane) as Firing[];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (this.#waiting.delete(next)) await next.run();
    }
    this.#lanes.delete(lane);
  }

  /** It stays in its lane's queue and is passed over there. */
  #dropOldest(): void {
    const oldest = this.#waiting.values().next().value;
    if (oldest === undefined) return;
    this.#waiting.delete(oldest);
    this.dropped++;
    this.#onDrop();
  }
}

interface Firing {
  readonly lane: string;
  readonly run: () => Promise<unknown>;
}
