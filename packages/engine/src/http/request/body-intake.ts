import { LIMITS } from '@rivulet/protocol';
import { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';

const SWEEP_MS = 1_000;
/** A body of which nothing came for this long may be given up when others need its place. */
const STALLED_MS = 1_000;

/** A body whose client has to send the next bytes. */
export interface ArrivingBody {
  /** It came slower than `LIMITS.httpBodyPaceBytes`. */
  tooSlow(): void;
  /** Its place is needed. */
  evict(): void;
}

interface Progress {
  readonly since: number;
  bytes: number;
  lastAt: number;
}

/** The request bodies that clients are sending now: their memory together, and the pace of each. */
export class BodyIntake {
  readonly #budget: ByteBudget;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** In the order of their latest bytes. */
  readonly #arriving = new Map<ArrivingBody, Progress>();
  readonly #waiting: () => number;
  readonly #timer: NodeJS.Timeout;

  /** `waiting`: requests that wait for the place of a body now. */
  constructor(mostBytes: number, clock: Pick<Clock, 'monotonic'>, waiting: () => number = () => 0) {
    this.#budget = new ByteBudget(mostBytes);
    this.#clock = clock;
    this.#waiting = waiting;
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  /** From now on the client has to send; its pace is measured from here. */
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

  /** The body is complete, given up, or not read now. */
  end(body: ArrivingBody): void {
    this.#arriving.delete(body);
  }

  /** Takes memory for a body; if there is none, bodies that stand still are given up for it. False: there is still none. */
  take(bytes: number, taker: ArrivingBody): boolean {
    while (!this.#budget.take(bytes)) if (!this.evictStalled(taker)) return false;
    return true;
  }

  give(bytes: number): void {
    this.#budget.give(bytes);
  }

  /** Gives up the body of which nothing came for the longest time; false: all of them move. */
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

  /** Ends the bodies that come too slowly, and those that stand still while others wait. */
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
