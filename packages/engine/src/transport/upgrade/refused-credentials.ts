import { type Clock, paceOf } from '../../structures/clock.js';

/** Remembers the digests of credentials that an auth function refused. When the memory is full, it forgets the oldest refusal. */
export class RefusedCredentials {
  readonly #until = new Map<string, number>();
  readonly #most: number;
  readonly #clock: Pick<Clock, 'monotonic'>;

  constructor(most: number, clock: Pick<Clock, 'monotonic' | 'pace'>) {
    this.#most = most;
    this.#clock = paceOf(clock);
  }

  /** Remembers a refusal for this time. */
  add(digest: string, milliseconds: number): void {
    this.#until.delete(digest);
    this.#until.set(digest, this.#clock.monotonic() + milliseconds);
    if (this.#until.size <= this.#most) return;
    const oldest = this.#until.keys().next().value;
    if (oldest !== undefined) this.#until.delete(oldest);
  }

  has(digest: string): boolean {
    const until = this.#until.get(digest);
    if (until === undefined) return false;
    if (until > this.#clock.monotonic()) return true;
    this.#until.delete(digest);
    return false;
  }
}
