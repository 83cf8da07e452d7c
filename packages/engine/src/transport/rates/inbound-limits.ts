import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { type Rate, TokenBucket } from '../../structures/token-bucket.js';
import { InboundMeter, type InboundRates, type MeterContext, PausedReaders, RateBuckets, type RateKind } from './inbound-meter.js';

/** Factor by which the rates of one identity exceed those of one connection. */
const CONNECTIONS_OF_IDENTITY = 20;
/** Number of identities, and of addresses, whose buckets are kept. The one that was used longest ago is forgotten first. */
const IDENTITIES = 10_000;

export interface InboundLimitsOptions {
  /** Name of the listener in the log: `worker` or `stream`. */
  readonly listener: string;
  readonly rates: InboundRates;
  /** Calls of functions by one stream client. Absent means no bound. */
  readonly calls?: Rate | undefined;
  /** Requests that `rates.requests` counts, for the log. */
  readonly requests: 'joins' | 'calls';
  /** Counts `rate_limited` each time the engine stops reading a connection. */
  readonly counters?: EventCounters | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Rates of all connections of one listener. Each connection has its own buckets, and each identity has buckets for all its connections
 * together.
 */
export class InboundLimits implements MeterContext {
  readonly paused: PausedReaders;
  readonly #options: InboundLimitsOptions;
  readonly #shared = new Map<string, RateBuckets>();
  /** Calls of all connections of one address together. */
  readonly #callsOfAddress = new Map<string, TokenBucket>();
  readonly #sharedRates: InboundRates;
  readonly #none: boolean;

  constructor(options: InboundLimitsOptions) {
    const { frames, bytes, requests } = options.rates;
    this.#options = options;
    this.paused = new PausedReaders(options.clock);
    this.#sharedRates = { frames: shared(frames), bytes: shared(bytes), requests: shared(requests) };
    this.#none = [frames, bytes, requests, options.calls].every((rate) => rate === undefined);
  }

  /** Number of times that the engine stopped reading a connection. */
  get pauses(): number {
    return this.paused.pauses;
  }

  /** Number of identities whose buckets are kept. */
  get identities(): number {
    return this.#shared.size;
  }

  /**
   * Returns the meter of a new connection, or `undefined` if nothing is bounded. A connection without an identity has only its own buckets.
   */
  meter(identity: string | undefined, address: string): InboundMeter | undefined {
    if (this.#none) return undefined;
    return new InboundMeter(this, new RateBuckets(this.#options.rates, this.#options.clock), this.#sharedOf(identity), address);
  }

  hit(kind: RateKind, address: string, first: boolean): void {
    const { logger, listener, requests, counters } = this.#options;
    counters?.add('rate_limited');
    logger[first ? 'warn' : 'debug']('rate_limited', {
      code: 'RATE_LIMITED',
      listener,
      of: kind === 'requests' ? requests : kind,
      address,
    });
  }

  callBuckets(own: RateBuckets, ofIdentity: RateBuckets | undefined, address: string): readonly TokenBucket[] {
    const { calls: rate, clock } = this.#options;
    if (rate === undefined) return [];
    const all = shared(rate) ?? rate;
    own.calls ??= new TokenBucket(rate, clock);
    const ofAddress = recent(this.#callsOfAddress, address, () => new TokenBucket(all, clock));
    if (ofIdentity === undefined) return [own.calls, ofAddress];
    ofIdentity.calls ??= new TokenBucket(all, clock);
    return [own.calls, ofIdentity.calls, ofAddress];
  }

  /** Takes a call of a plain request, which has no connection of its own. Returns false when the identity or the address has none left. */
  takeCall(identity: string | undefined, address: string): boolean {
    const { calls: rate, clock } = this.#options;
    if (rate === undefined) return true;
    const all = shared(rate) ?? rate;
    const ofAddress = recent(this.#callsOfAddress, address, () => new TokenBucket(all, clock));
    const ofIdentity = this.#sharedOf(identity);
    if (ofIdentity !== undefined) ofIdentity.calls ??= new TokenBucket(all, clock);
    const isTaken = (ofIdentity?.calls?.take() ?? true) && ofAddress.take();
    if (!isTaken) this.#options.counters?.add('rate_limited');
    return isTaken;
  }

  close(): void {
    this.paused.close();
  }

  #sharedOf(identity: string | undefined): RateBuckets | undefined {
    if (identity === undefined) return undefined;
    return recent(this.#shared, identity, () => new RateBuckets(this.#sharedRates, this.#options.clock));
  }
}

/** Returns the buckets of a name, and keeps those that were used last. */
function recent<Buckets>(kept: Map<string, Buckets>, name: string, make: () => Buckets): Buckets {
  const buckets = kept.get(name) ?? make();
  kept.delete(name);
  kept.set(name, buckets);
  const [oldest] = kept.keys();
  if (kept.size > IDENTITIES && oldest !== undefined) kept.delete(oldest);
  return buckets;
}

function shared(rate: Rate | undefined): Rate | undefined {
  if (rate === undefined) return undefined;
  return { perSecond: rate.perSecond * CONNECTIONS_OF_IDENTITY, burst: rate.burst * CONNECTIONS_OF_IDENTITY };
}

/** Returns a rate, or `undefined` for 0, which means no bound. */
export function rateOf(perSecond: number, burst: number): Rate | undefined {
  return perSecond === 0 ? undefined : { perSecond, burst };
}
