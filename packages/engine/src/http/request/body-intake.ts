import { LIMITS } from '@rivulet/protocol';
import { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';

const SWEEP_MS = 1_000;
/** Milliseconds without a byte, after which a body may be given up when others need its place. */
const STALLED_MS = 1_000;

/** A body whose client has to send the next bytes. */
export interface ArrivingBody {
  /** Ends the body, because it arrived more slowly than `LIMITS.httpBodyPaceBytes`. */
  tooSlow(): void;
  /** Ends the body, because its place is needed. */
  evict(): void;
}

interface BodyProgress {
  readonly since: number;
  bytes: number;
  lastAt: number;
}

/** Watches the request bodies that clients are sending. It bounds their memory together, and checks the pace of each. */
export class BodyIntake {
  readonly #budget: ByteBudget;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Arriving bodies, in the order of their latest bytes. */
  readonly #arriving = new Map<ArrivingBody, BodyProgress>();
  readonly #waiting: () => number;
  readonly #timer: NodeJS.Timeout;

  /** `waiting` returns the number of requests that wait for the place of a body. */
  constructor(mostBytes: number, clock: Pick<Clock, 'monotonic'>, waiting: () => number = () => 0) {
    this.#budget = new ByteBudget(mostBytes);
    this.#clock = clock;
    this.#waiting = waiting;
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  /** Begins to measure the pace of a body whose client has to send. */
  begin(body: ArrivingBody): void {
    const now = this.#clock.monotonic();
    this.#arriving.set(body, { since: now, bytes: 0, lastAt: now });
  }

  progress(body: ArrivingBody, bytes: number): void {
    const progress = this.#arriving.get(body);
    if (progress === undefined) return;
    progress.bytes += bytes;
    progress.lastAt = this.#clock.monotonic();
    this.#arriving.delete(body);
    this.#arriving.set(body, progress);
  }

  /** Stops measuring a body that is complete, given up or not read now. */
  end(body: ArrivingBody): void {
    this.#arriving.delete(body);
  }

  /** Takes memory for a body. If there is too little, stalled bodies are given up. Returns `false` if there is still too little. */
  take(bytes: number, taker: ArrivingBody): boolean {
    while (!this.#budget.take(bytes)) if (!this.evictStalled(taker)) return false;
    return true;
  }

  give(bytes: number): void {
    this.#budget.give(bytes);
  }

  /** Gives up the body that has stalled for the longest time. Returns `false` if all bodies move. */
  evictStalled(except?: ArrivingBody): boolean {
    const before = this.#clock.monotonic() - STALLED_MS;
    for (const [body, { lastAt }] of this.#arriving) {
      if (lastAt > before) return false;
      if (body === except) continue;
      this.#arriving.delete(body);
      body.evict();
      return true;
    }
    return false;
  }

  /** Ends the bodies that are too slow, and stalled bodies while others wait. */
  sweep(): void {
    for (let waiting = this.#waiting(); waiting > 0 && this.evictStalled(); waiting--);
    const now = this.#clock.monotonic();
    for (const [body, { since, bytes }] of this.#arriving) {
      const lateMs = now - since - LIMITS.httpBodyGraceMs;
      if (lateMs <= 0 || bytes * 1_000 >= lateMs * LIMITS.httpBodyPaceBytes) continue;
      this.#arriving.delete(body);
      body.tooSlow();
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
