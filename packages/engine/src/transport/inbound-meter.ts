import type { Clock } from '../structures/clock.js';
import { type Rate, TokenBucket } from '../structures/token-bucket.js';

/** What one connection, or all connections of one identity, may send; absent: no bound. */
export interface InboundRates {
  /** WebSocket messages, pings and pongs. */
  readonly frames?: Rate | undefined;
  readonly bytes?: Rate | undefined;
  /** What costs the engine most: joins of a stream client, calls of a guest. */
  readonly requests?: Rate | undefined;
}

export type RateKind = keyof InboundRates;

/** A connection that is not read for a while. */
export interface PausableReader {
  readonly open: boolean;
  pause(): void;
  resume(): void;
}

/** Longest time for which a connection is not read, in milliseconds. */
const LONGEST_PAUSE_MS = 60_000;
const TICK_MS = 25;

/** Reads connections again when their time is over. One timer serves all of them, and runs only while there are some. */
export class PausedReaders {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #until = new Map<PausableReader, number>();
  #timer: NodeJS.Timeout | undefined;
  #pauses = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Times that a connection was paused. */
  get pauses(): number {
    return this.#pauses;
  }

  /** Does not read the connection for this long. Answers whether it was read until now. */
  hold(reader: PausableReader, milliseconds: number): boolean {
    const until = this.#clock.monotonic() + Math.min(milliseconds, LONGEST_PAUSE_MS);
    const before = this.#until.get(reader);
    if (before !== undefined) {
      if (until > before) this.#until.set(reader, until);
      return false;
    }
    this.#pauses++;
    this.#until.set(reader, until);
    reader.pause();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
    return true;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#until.clear();
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    for (const [reader, until] of this.#until) {
      if (until > now && reader.open) continue;
      this.#until.delete(reader);
      if (reader.open) reader.resume();
    }
    if (this.#until.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The buckets of one connection or of one identity. */
export class RateBuckets {
  readonly frames: TokenBucket | undefined;
  readonly bytes: TokenBucket | undefined;
  readonly requests: TokenBucket | undefined;

  constructor(rates: InboundRates, clock: Pick<Clock, 'monotonic'>) {
    const bucketOf = (rate: Rate | undefined) => (rate === undefined ? undefined : new TokenBucket(rate, clock));
    this.frames = bucketOf(rates.frames);
    this.bytes = bucketOf(rates.bytes);
    this.requests = bucketOf(rates.requests);
  }
}

/** What the meters of one listener share. */
export interface MeterContext {
  readonly paused: PausedReaders;
  /** Runs each time that a connection is paused. `first`: for the first time. */
  hit(kind: RateKind, address: string, first: boolean): void;
}

/**
 * Counts what one connection sends. When a bucket owes tokens, the engine stops reading the connection until they are back, so that TCP
 * holds the peer back. Nothing is refused. What was read already, at most 64 KiB, still takes effect and lengthens the pause.
 */
export class InboundMeter {
  readonly #context: MeterContext;
  readonly #own: RateBuckets;
  readonly #shared: RateBuckets | undefined;
  readonly #address: string;
  #reader: PausableReader | undefined;
  #hit = false;

  /** `shared`: buckets of the identity. */
  constructor(context: MeterContext, own: RateBuckets, shared: RateBuckets | undefined, address: string) {
    this.#context = context;
    this.#own = own;
    this.#shared = shared;
    this.#address = address;
  }

  attach(reader: PausableReader): void {
    this.#reader = reader;
  }

  /** A message, ping or pong of this many bytes was read. */
  frame(bytes: number): void {
    const own = this.#own;
    this.#spend('frames', own.frames, 1);
    this.#spend('bytes', own.bytes, bytes);
    const shared = this.#shared;
    if (shared === undefined) return;
    this.#spend('frames', shared.frames, 1);
    this.#spend('bytes', shared.bytes, bytes);
  }

  /** A join or a call was read. */
  request(): void {
    this.#spend('requests', this.#own.requests, 1);
    if (this.#shared !== undefined) this.#spend('requests', this.#shared.requests, 1);
  }

  #spend(kind: RateKind, bucket: TokenBucket | undefined, tokens: number): void {
    if (bucket !== undefined && !bucket.spend(tokens)) this.#hold(kind, bucket);
  }

  #hold(kind: RateKind, bucket: TokenBucket): void {
    if (this.#reader?.open !== true || !this.#context.paused.hold(this.#reader, bucket.waitMs())) return;
    this.#context.hit(kind, this.#address, !this.#hit);
    this.#hit = true;
  }
}
