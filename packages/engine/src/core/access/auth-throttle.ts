import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';

interface Rate {
  /** Refusals that may be collected before more are put off without asking the auth function. */
  readonly burst: number;
  /** Refusals forgotten per second. */
  readonly perSecond: number;
}

/** The same refused credential need not be asked about again and again. */
const CREDENTIAL: Rate = { burst: 10, perSecond: 1 };
/** Behind a proxy many users share one address: it is put off only when somebody tries one credential after another. */
const ADDRESS: Rate = { burst: 600, perSecond: 20 };
/** Addresses, and credentials of addresses, remembered; the one refused longest ago is forgotten for a new one. */
const REMEMBERED = 10_000;
const TOLD_AGAIN_MS = 60_000;
const LINE_MS = 1_000;

type Of = 'credential' | 'address';

/**
 * Bounds what guessing tokens costs the auth function, without keeping out others who come from the same address. Only refusals by the
 * function count, not outages. A log line tells when an address begins to be put off: one a minute for each, one a second for all.
 */
export class AuthThrottle {
  readonly #credentials: Refusals;
  readonly #addresses: Refusals;
  readonly #told = new Map<string, number>();
  readonly #clock: Clock;
  readonly #logger: Logger;
  #lineAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#credentials = new Refusals(CREDENTIAL, clock);
    this.#addresses = new Refusals(ADDRESS, clock);
  }

  refused(address: string, credential: string): void {
    // A digest has no space: no two pairs are written alike.
    if (this.#credentials.add(`${credential} ${address}`)) this.#tell(address, 'credential');
    if (this.#addresses.add(address)) this.#tell(address, 'address');
  }

  blocks(address: string, credential: string): boolean {
    return this.#credentials.full(`${credential} ${address}`) || this.#addresses.full(address);
  }

  #tell(address: string, of: Of): void {
    const now = this.#clock.monotonic();
    const key = `${of} ${address}`;
    if (now - this.#lineAt < LINE_MS || now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < TOLD_AGAIN_MS) return;
    this.#lineAt = now;
    remember(this.#told, key, now);
    this.#logger.warn('auth_throttled', { address, of });
  }
}

/** Leaky buckets by key. */
class Refusals {
  readonly #entries = new Map<string, { readonly count: number; readonly at: number }>();
  readonly #rate: Rate;
  readonly #clock: Clock;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Whether this was the one that makes it full. */
  add(key: string): boolean {
    const before = this.#count(key);
    remember(this.#entries, key, { count: before + 1, at: this.#clock.monotonic() });
    return before < this.#rate.burst && before + 1 >= this.#rate.burst;
  }

  full(key: string): boolean {
    return this.#count(key) >= this.#rate.burst;
  }

  #count(key: string): number {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 0;
    return Math.max(0, entry.count - ((this.#clock.monotonic() - entry.at) / 1_000) * this.#rate.perSecond);
  }
}

function remember<T>(entries: Map<string, T>, key: string, value: T): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size <= REMEMBERED) return;
  const oldest = entries.keys().next().value;
  if (oldest !== undefined) entries.delete(oldest);
}
