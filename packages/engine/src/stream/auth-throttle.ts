import type { Clock } from '../structures/clock.js';

/** Refusals that an address may collect before its upgrades are put off without asking the auth function. */
const BURST = 60;
/** Refusals forgotten per second. */
const PER_SECOND = 1;
/** Addresses remembered; the one refused longest ago is forgotten for a new one. */
const ADDRESSES = 10_000;

/** Bounds what guessing tokens from one address costs the auth function. Only refusals count, not outages. */
export class AuthThrottle {
  readonly #clock: Clock;
  readonly #refusals = new Map<string, { count: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  refused(address: string): void {
    const count = this.#count(address) + 1;
    this.#refusals.delete(address);
    this.#refusals.set(address, { count, at: this.#clock.monotonic() });
    if (this.#refusals.size <= ADDRESSES) return;
    const oldest = this.#refusals.keys().next().value;
    if (oldest !== undefined) this.#refusals.delete(oldest);
  }

  blocks(address: string): boolean {
    return this.#refusals.size > 0 && this.#count(address) >= BURST;
  }

  #count(address: string): number {
    const entry = this.#refusals.get(address);
    if (entry === undefined) return 0;
    return Math.max(0, entry.count - ((this.#clock.monotonic() - entry.at) / 1000) * PER_SECOND);
  }
}
