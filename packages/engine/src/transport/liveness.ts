import type { Clock } from '../structures/clock.js';

/** What the sweep needs of a connection. */
export interface Pingable {
  /** Set by `probe`, cleared by anything that arrives. */
  awaitsPong: boolean;
  readonly buffered: number;
  /** Sends a ping and sets `awaitsPong`. */
  probe(): void;
  destroy(): void;
}

const SLOTS = 25;

/**
 * One timer pings all connections of a listener, a slot of them at a time, and drops those that stay silent for the pong time-out.
 * A connection with unsent bytes is spared: its peer reads slowly and has not seen the ping yet; a dead one is given up by the
 * kernel's retransmission limit.
 */
export class Liveness {
  readonly #slots: Set<Pingable>[] = Array.from({ length: SLOTS }, () => new Set<Pingable>());
  readonly #slotOf = new WeakMap<Pingable, Set<Pingable>>();
  readonly #timer: NodeJS.Timeout;
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #pongTicks: number;
  readonly #pongTimeoutMs: number;
  #tick = 0;
  #lastTickAt: number;
  #next = 0;
  #dropped = 0;

  constructor(options: { readonly pingIntervalMs: number; readonly pongTimeoutMs: number; readonly clock: Clock }) {
    this.#clock = options.clock;
    this.#tickMs = Math.max(1, options.pingIntervalMs / SLOTS);
    this.#pongTimeoutMs = Math.min(options.pongTimeoutMs, options.pingIntervalMs);
    this.#pongTicks = Math.min(SLOTS - 1, Math.max(1, Math.ceil(this.#pongTimeoutMs / this.#tickMs)));
    this.#lastTickAt = this.#clock.monotonic();
    this.#timer = setInterval(() => this.#sweep(), this.#tickMs);
    this.#timer.unref();
  }

  /** Connections dropped for a missed pong so far. */
  get dropped(): number {
    return this.#dropped;
  }

  add(connection: Pingable): void {
    const slot = this.#slots[this.#next++ % SLOTS] as Set<Pingable>;
    slot.add(connection);
    this.#slotOf.set(connection, slot);
  }

  remove(connection: Pingable): void {
    this.#slotOf.get(connection)?.delete(connection);
  }

  close(): void {
    clearInterval(this.#timer);
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
      if (!connection.awaitsPong) continue;
      connection.awaitsPong = false;
      if (connection.buffered > 0) continue;
      this.#dropped++;
      connection.destroy();
    }
  }
}
