import { LIMITS } from '@rivulet/protocol';
import type { Clock } from '../structures/clock.js';
import { reportsPongs, roundTrip } from './pongs.js';
import type { Patience, SentBytes, SlowReader } from './slow-reader.js';

/** The view of a connection that the sweeps need. */
export interface Pingable extends SentBytes {
  /** Address of the peer, for the log. */
  readonly remoteAddress: string;
  /** Judges whether the peer is lost or reads slowly. */
  readonly reader: SlowReader;
  /** Whether the peer may stop reading for any time once it was sent something, as the slow reader of a transfer does. */
  readonly mayRest: boolean;
  /**
   * An object that stands for the unfinished message. It is the same object until the message is complete. `undefined` between messages.
   */
  readonly unfinished: object | undefined;
  /**
   * Waits for a sign of life from now on, and sends a ping unless one is unanswered. Does nothing while the engine does not read the
   * connection.
   */
  probe(): void;
  /** Closes a connection whose message takes too long. */
  expire(): void;
  destroy(): void;
}

/** Groups of connections. Each tick of the timer pings one of them. */
const SLOTS = 25;
/** Bytes in a second that the slowest tolerated reader takes. */
const SLOWEST_BYTES = 16_384;
/** Number of checks after which an unfinished message is given up. The check that discovers the message does not count. */
const CHECKS = 5;

export interface LivenessOptions {
  /** Milliseconds between two pings of a connection. */
  readonly pingIntervalMs: number;
  /** Milliseconds that a peer has to answer a ping, at most `pingIntervalMs`. */
  readonly pongTimeoutMs: number;
  /**
   * Milliseconds that a message may take from its first fragment to its last. The engine notices up to a fifth later.
   * @default LIMITS.messageAssemblyMs
   */
  readonly messageAssemblyMs?: number;
  /**
   * Whether to spare connections that miss a pong because their peer reads slowly: those with unsent bytes, and those that had too little
   * time for the bytes before the ping. With `false`, only connections whose unsent bytes keep leaving are spared. A peer that stands still
   * is then dropped within one interval and one time-out, whatever is queued for it.
   * @default true
   */
  readonly spareSlowReaders?: boolean;
  /**
   * Runs after a connection was closed because its message took too long.
   * @default nothing
   */
  readonly onExpired?: (connection: Pingable) => void;
  readonly clock: Clock;
}

const TRANSFER: Patience = { kind: 'transfer' };

interface Sighting {
  readonly message: object;
  checks: number;
}

/**
 * Drops dead connections of one listener and ends messages that are never finished.
 *
 * One timer pings all connections, one slot of them in each tick. It drops a connection that stays silent for the pong time-out, unless its
 * `SlowReader` finds that the peer only reads slowly. The kernel gives up a dead peer with unsent bytes by its retransmission limit.
 *
 * A second timer samples the parsers, so that a message costs nothing. It counts checks and no milliseconds, so a blocked event loop is not
 * held against a peer.
 */
export class Liveness {
  /** See `LivenessOptions.spareSlowReaders`. */
  readonly sparesSlowReaders: boolean;
  readonly #slots: Set<Pingable>[] = Array.from({ length: SLOTS }, () => new Set<Pingable>());
  readonly #slotOf = new WeakMap<Pingable, Set<Pingable>>();
  readonly #timer: NodeJS.Timeout;
  readonly #messageTimer: NodeJS.Timeout;
  /** Connections that the last check found in the middle of a message. */
  readonly #sightings = new Map<Pingable, Sighting>();
  readonly #clock: Clock;
  readonly #onExpired: (connection: Pingable) => void;
  readonly #tickMs: number;
  readonly #pongTicks: number;
  readonly #pongTimeoutMs: number;
  readonly #patience: Patience;
  #tick = 0;
  #lastTickAt: number;
  #next = 0;
  #dropped = 0;
  #messageTick = 0;
  #expired = 0;

  constructor(options: LivenessOptions) {
    this.#clock = options.clock;
    this.#onExpired = options.onExpired ?? (() => {});
    this.#tickMs = Math.max(1, options.pingIntervalMs / SLOTS);
    this.#pongTimeoutMs = Math.min(options.pongTimeoutMs, options.pingIntervalMs);
    this.#pongTicks = Math.min(SLOTS - 1, Math.max(1, Math.ceil(this.#pongTimeoutMs / this.#tickMs)));
    this.sparesSlowReaders = options.spareSlowReaders ?? true;
    const bytesPerTick = (SLOWEST_BYTES * this.#tickMs) / 1_000;
    this.#patience = this.sparesSlowReaders
      ? { kind: 'patient', inTimeout: bytesPerTick * this.#pongTicks, inInterval: bytesPerTick * SLOTS }
      : { kind: 'strict' };
    this.#lastTickAt = this.#clock.monotonic();
    this.#timer = setInterval(() => this.#sweep(), this.#tickMs);
    this.#timer.unref();
    const assemblyMs = options.messageAssemblyMs ?? LIMITS.messageAssemblyMs;
    this.#messageTimer = setInterval(() => this.#sweepMessages(), assemblyMs / CHECKS / CHECKS);
    this.#messageTimer.unref();
  }

  /** Number of connections that were dropped for a missed pong. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Number of connections that were closed because a message took too long. */
  get expired(): number {
    return this.#expired;
  }

  /** Begins to watch a connection. */
  add(connection: Pingable): void {
    const slot = this.#slots[this.#next++ % SLOTS] as Set<Pingable>;
    slot.add(connection);
    this.#slotOf.set(connection, slot);
  }

  /** Stops watching a connection. Idempotent. */
  remove(connection: Pingable): void {
    this.#slotOf.get(connection)?.delete(connection);
    this.#sightings.delete(connection);
  }

  /** Resolves when each peer has received everything that was sent to it before. Transfers and sinks do not count. */
  async roundTrip(): Promise<void> {
    const trips: Promise<void>[] = [];
    for (const slot of this.#slots)
      for (const connection of slot) if (!connection.mayRest && reportsPongs(connection)) trips.push(roundTrip(connection));
    await Promise.all(trips);
  }

  close(): void {
    clearInterval(this.#timer);
    clearInterval(this.#messageTimer);
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    // After a blocked event loop, pongs may lie unread in the kernel. So this tick drops no connection.
    const stalled = now - this.#lastTickAt > this.#pongTimeoutMs + this.#tickMs;
    this.#lastTickAt = now;
    const tick = this.#tick++;
    for (const connection of this.#slots[tick % SLOTS] as Set<Pingable>) connection.probe();
    if (stalled) return;
    const due = this.#slots[(tick + SLOTS - this.#pongTicks) % SLOTS] as Set<Pingable>;
    for (const connection of due) {
      if (connection.reader.judge(connection.mayRest ? TRANSFER : this.#patience, connection) !== 'lost') continue;
      this.#dropped++;
      connection.destroy();
    }
  }

  /** Checks one slot in five, so that each connection is checked `CHECKS` times in the time that a message may take. */
  #sweepMessages(): void {
    const tick = this.#messageTick++;
    for (let slot = tick % CHECKS; slot < SLOTS; slot += CHECKS) {
      for (const connection of this.#slots[slot] as Set<Pingable>) this.#check(connection);
    }
  }

  #check(connection: Pingable): void {
    const message = connection.unfinished;
    if (message === undefined) {
      if (this.#sightings.size > 0) this.#sightings.delete(connection);
      return;
    }
    const sighting = this.#sightings.get(connection);
    if (sighting?.message !== message) {
      this.#sightings.set(connection, { message, checks: 0 });
      return;
    }
    if (++sighting.checks < CHECKS) return;
    this.#sightings.delete(connection);
    this.#expired++;
    connection.expire();
    this.#onExpired(connection);
  }
}
