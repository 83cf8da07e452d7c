import { type Clock, paceOf } from '../../structures/clock.js';
import { type Rate, TokenBucket } from '../../structures/token-bucket.js';

/** Bounds on the input of one connection, or of all connections of one identity. An absent rate means no bound. */
export interface InboundRates {
  /** WebSocket messages, pings and pongs. */
  readonly frames?: Rate | undefined;
  /** Payload bytes of these messages. */
  readonly bytes?: Rate | undefined;
  /** The most expensive requests: joins of a stream client, calls of a guest. */
  readonly requests?: Rate | undefined;
}

export type RateKind = keyof InboundRates | 'calls';

/** A connection that can be paused. */
export interface PausableReader {
  readonly open: boolean;
  pause(): void;
  resume(): void;
}

/** Longest pause of a connection, in milliseconds. */
const LONGEST_PAUSE_MS = 60_000;
const TICK_MS = 25;

/** Resumes paused connections when their time is over. One timer serves all of them, and runs only while there are some. */
export class PausedReaders {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #until = new Map<PausableReader, number>();
  #timer: NodeJS.Timeout | undefined;
  #pauses = 0;

  constructor(clock: Pick<Clock, 'monotonic' | 'pace'>) {
    this.#clock = paceOf(clock);
  }

  /** Number of pauses so far. */
  get pauses(): number {
    return this.#pauses;
  }

  /** Pauses the connection for this time. Returns `false` if it was paused already. */
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
  /** Calls of functions by stream clients. Most connections make none, so it comes with the first. */
  calls: TokenBucket | undefined;

  constructor(rates: InboundRates, clock: Pick<Clock, 'monotonic' | 'pace'>) {
    const bucketOf = (rate: Rate | undefined) => (rate === undefined ? undefined : new TokenBucket(rate, clock));
    this.frames = bucketOf(rates.frames);
    this.bytes = bucketOf(rates.bytes);
    this.requests = bucketOf(rates.requests);
  }
}

/** State that the meters of one listener share. */
export interface MeterContext {
  readonly paused: PausedReaders;
  /** Runs each time a connection is paused. `first` says whether it is the first time. */
  hit(kind: RateKind, address: string, first: boolean): void;
  /** Returns the buckets in which a call of this connection counts. */
  callBuckets(own: RateBuckets, shared: RateBuckets | undefined, address: string): readonly TokenBucket[];
}

/**
 * Counts the input of one connection. When a bucket owes tokens, the engine stops reading the connection until they are paid back, so that
 * TCP slows the peer down. The engine refuses nothing. At most 64 KiB were read already. They still take effect, and lengthen the pause.
 */
export class InboundMeter {
  readonly #context: MeterContext;
  readonly #own: RateBuckets;
  readonly #shared: RateBuckets | undefined;
  readonly #address: string;
  #reader: PausableReader | undefined;
  #hit = false;

  /** `shared` are the buckets of the identity. */
  constructor(context: MeterContext, own: RateBuckets, shared: RateBuckets | undefined, address: string) {
    this.#context = context;
    this.#own = own;
    this.#shared = shared;
    this.#address = address;
  }

  /** Sets the connection that the meter pauses. */
  attach(reader: PausableReader): void {
    this.#reader = reader;
  }

  /** Counts a message, ping or pong of this size. */
  frame(bytes: number): void {
    const own = this.#own;
    this.#spend('frames', own.frames, 1);
    this.#spend('bytes', own.bytes, bytes);
    const shared = this.#shared;
    if (shared === undefined) return;
    this.#spend('frames', shared.frames, 1);
    this.#spend('bytes', shared.bytes, bytes);
  }

  /** Counts a join or a call. */
  request(): void {
    this.#spend('requests', this.#own.requests, 1);
    if (this.#shared !== undefined) this.#spend('requests', this.#shared.requests, 1);
  }

  /** Counts a call of a function by a stream client. */
  call(): void {
    for (const bucket of this.#context.callBuckets(this.#own, this.#shared, this.#address)) this.#spend('calls', bucket, 1);
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
