import { LIMITS } from '@rivulet/protocol';
import type { Clock } from '../structures/clock.js';
import type { Patience, SentBytes, SlowReader } from './slow-reader.js';

/** What the sweep needs of a connection. */
export interface Pingable extends SentBytes {
  /** Address of the peer, for the log. */
  readonly remoteAddress: string;
  /** Judges whether the peer is lost or reads slowly. */
  readonly reader: SlowReader;
  /** Its peer may stop reading for as long as it likes once it was sent something, as a slow reader of a transfer does. */
  readonly mayRest: boolean;
  /** Stands for the message that has arrived in part: the same object until it is whole, `undefined` between messages. */
  readonly unfinished: object | undefined;
  /** Asks the peer for a sign of life, with a ping unless one is unanswered. Does nothing while the connection is not read. */
  probe(): void;
  /** Ends a connection whose message takes too long. */
  expire(): void;
  destroy(): void;
}

const SLOTS = 25;
/** A peer that reads no faster than this, per second, is not kept for reading slowly. */
const SLOWEST_BYTES = 16_384;
/** A message that is unfinished is looked at so many times before it is given up, and once to begin with. */
const LOOKS = 5;

export interface LivenessOptions {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** How long a message may take from its first fragment to its last; default: that of `LIMITS`. Noticed up to a fifth later. */
  readonly messageAssemblyMs?: number;
  /**
   * Of connections that miss a pong, spare those whose peer may only read slowly: all with unsent bytes, and those that had little time
   * for what they were sent. Default: true. With false only those are spared whose unsent bytes keep leaving, so that a peer that
   * stands still is dropped within one interval and one time-out, whatever is queued for it.
   */
  readonly spareSlowReaders?: boolean;
  /** Runs after the sweep has closed a connection whose message took too long. Default: nothing. */
  readonly onExpired?: (connection: Pingable) => void;
  readonly clock: Clock;
}

const TRANSFER: Patience = { kind: 'transfer' };

interface Sighting {
  readonly message: object;
  looks: number;
}

/**
 * One timer pings all connections of a listener, a slot of them at a time, and drops those that stay silent for the pong time-out.
 * Unless the listener says otherwise, a connection with unsent bytes is spared: its peer reads slowly and has not seen the ping yet; a dead one is given up by the
 * kernel's retransmission limit. What the kernel has taken may lie in its queue in front of the ping, and nothing tells how much of
 * it was read: so the peer gets the time that a slow reader needs for all that was written since the last ping that it answered.
 *
 * A second timer looks for messages that are never finished. It samples the parsers, so that a message costs nothing, and counts
 * looks instead of milliseconds, so that a blocked event loop is not held against the peer.
 */
export class Liveness {
  /** As in the options. */
  readonly sparesSlowReaders: boolean;
  readonly #slots: Set<Pingable>[] = Array.from({ length: SLOTS }, () => new Set<Pingable>());
  readonly #slotOf = new WeakMap<Pingable, Set<Pingable>>();
  readonly #timer: NodeJS.Timeout;
  readonly #messageTimer: NodeJS.Timeout;
  /** Connections seen in the middle of a message. */
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
    this.#messageTimer = setInterval(() => this.#sweepMessages(), assemblyMs / LOOKS / LOOKS);
    this.#messageTimer.unref();
  }

  /** Connections dropped for a missed pong so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Connections ended because a message took too long. */
  get expired(): number {
    return this.#expired;
  }

  add(connection: Pingable): void {
    const slot = this.#slots[this.#next++ % SLOTS] as Set<Pingable>;
    slot.add(connection);
    this.#slotOf.set(connection, slot);
  }

  remove(connection: Pingable): void {
    this.#slotOf.get(connection)?.delete(connection);
    this.#sightings.delete(connection);
  }

  close(): void {
    clearInterval(this.#timer);
    clearInterval(this.#messageTimer);
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    // After a blocked event loop the pongs may still lie unread in the kernel: nobody is dropped in such a tick.
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

  /** One slot in five at a time, so that each connection is looked at `LOOKS` times in the time that a message may take. */
  #sweepMessages(): void {
    const tick = this.#messageTick++;
    for (let slot = tick % LOOKS; slot < SLOTS; slot += LOOKS) {
      for (const connection of this.#slots[slot] as Set<Pingable>) this.#lookAt(connection);
    }
  }

  #lookAt(connection: Pingable): void {
    const message = connection.unfinished;
    if (message === undefined) {
      if (this.#sightings.size > 0) this.#sightings.delete(connection);
      return;
    }
    const sighting = this.#sightings.get(connection);
    if (sighting?.message !== message) {
      this.#sightings.set(connection, { message, looks: 0 });
      return;
    }
    if (++sighting.looks < LOOKS) return;
    this.#sightings.delete(connection);
    this.#expired++;
    connection.expire();
    this.#onExpired(connection);
  }
}
