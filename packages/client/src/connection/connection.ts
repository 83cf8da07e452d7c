import { type BackoffOptions, backoffDelay, DEFAULT_BACKOFF } from './backoff.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import type { ConnectionState } from './connection-state.js';
import type { KeepAlive, KeepAliveRun } from './keep-alive.js';
import { type Dropped, type OutboundBounds, OutboundQueue } from './outbound-queue.js';
import type { Closed, OpenSocket, Socket } from './socket.js';
import { pageWakeSource, type WakeSource } from './wake-source.js';
import { openWebSocket } from './web-socket.js';

export { type BackoffOptions, DEFAULT_BACKOFF } from './backoff.js';
export { type Clock, SYSTEM_CLOCK } from './clock.js';
export type { ConnectionState } from './connection-state.js';
export { type KeepAlive, type KeepAliveRun, type Link, pingKeepAlive } from './keep-alive.js';
export { type Dropped, type OutboundBounds, OutboundQueue } from './outbound-queue.js';
export type { Closed, OpenSocket, Socket, SocketEvents } from './socket.js';
export type {
  WakeSource,
  /** @deprecated Use `WakeSource`. */
  WakeSource as Awakening,
} from './wake-source.js';
export { openWebSocket } from './web-socket.js';

/** Sends on the connection that has just opened. */
export type Send = (text: string) => void;

/** Who uses a connection. The methods must not throw. */
export interface ConnectionOwner {
  /** A socket is open. What is sent here goes out before everything that waited. */
  onOpen(send: Send): void;
  /** Everything that waited has been handed to the socket. */
  onFlushed(send: Send): void;
  onText(text: string): void;
  /** An open socket is lost, or closed. */
  onLost(closed: Closed): void;
  /** After every change, the ones above included. */
  onState(state: ConnectionState): void;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly owner: ConnectionOwner;
  /** Default: the global `WebSocket`. */
  readonly openSocket?: OpenSocket;
  readonly backoff?: BackoffOptions;
  /** Attempts in a row that may fail before it gives up. Default: no bound. */
  readonly maxAttempts?: number;
  /** Milliseconds in which a socket must open. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds of being open after which the backoff begins anew: a peer that accepts and closes at once is not hammered. Default 5,000. */
  readonly provenAfterMs?: number;
  /** Of what waits while there is no connection. Default 10,000 messages and 16 Mi code units. */
  readonly outbound?: OutboundBounds;
  /** Bytes that an open socket may hold unsent before `send` refuses. Default 64 MiB. */
  readonly maxBufferedBytes?: number;
  /** Default: none; a browser can't ping, and the peer does. */
  readonly keepAlive?: KeepAlive;
  /** Default: `online` and `visibilitychange` where they exist. */
  readonly wakeSource?: WakeSource;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** `full`: a bound was hit, nothing was taken. `closed`: it will never be sent. */
export type Sending = 'sent' | 'queued' | 'full' | 'closed';

const CLOSE_TIMEOUT_MS = 2_000;
const NO_STATUS: Closed = { code: 1005, reason: '' };

/** The socket of the moment; events of an earlier one are nobody's. */
interface Current {
  readonly socket: Socket;
  opened: boolean;
  keepAlive: KeepAliveRun | undefined;
  timer: unknown;
}

/** One WebSocket that comes back by itself until it is closed. It connects when it is made, which throws what `openSocket` throws. */
export class Connection {
  readonly #options: Required<Omit<ConnectionOptions, 'keepAlive'>> & Pick<ConnectionOptions, 'keepAlive'>;
  readonly #queue: OutboundQueue;
  readonly #stopListening: () => void;
  #state: ConnectionState = { kind: 'connecting', attempt: 0 };
  #current: Current | undefined;
  #attempt = 0;
  #waitTimer: unknown;
  #closedWaiters: (() => void)[] = [];

  constructor(options: ConnectionOptions) {
    this.#options = {
      openSocket: openWebSocket,
      backoff: DEFAULT_BACKOFF,
      maxAttempts: Number.POSITIVE_INFINITY,
      connectTimeoutMs: 10_000,
      provenAfterMs: 5_000,
      outbound: { messages: 10_000, units: 16_777_216 },
      maxBufferedBytes: 67_108_864,
      wakeSource: pageWakeSource,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      ...options,
    };
    this.#queue = new OutboundQueue(this.#options.outbound);
    this.#stopListening = this.#options.wakeSource(() => this.#wake());
    try {
      this.#connect();
    } catch (error) {
      this.#stopListening();
      throw error;
    }
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Messages that wait for a connection. */
  get queued(): number {
    return this.#queue.length;
  }

  /**
   * Sends now or, while there is no connection, when it is back, unless `wanted` says then that nobody waits any more. `dropped` is told,
   * at most once, that what was `queued` is never sent; it must not throw.
   */
  send(text: string, wanted?: () => boolean, dropped?: (why: Dropped) => void): Sending {
    if (this.#state.kind === 'closed' || this.#state.kind === 'closing') return 'closed';
    const current = this.#current;
    if (this.#state.kind !== 'open' || current === undefined) return this.#queue.add(text, wanted, dropped) ? 'queued' : 'full';
    if (current.socket.bufferedAmount > this.#options.maxBufferedBytes) return 'full';
    current.socket.send(text);
    return 'sent';
  }

  /** Ends the socket of the moment and opens another. For an owner that finds it unusable. */
  restart(reason: string): void {
    const current = this.#current;
    if (current !== undefined) this.#lose(current, { code: 1006, reason });
  }

  /** Closes for good. Resolves when the socket is closed, after at most 2 s. What waited is dropped, and told so. Any number of calls is one. */
  close(code = 1000, reason = ''): Promise<void> {
    if (this.#state.kind === 'closed') return Promise.resolve();
    const closed = new Promise<void>((resolve) => this.#closedWaiters.push(resolve));
    if (this.#state.kind === 'closing') return closed;
    const current = this.#current;
    if (current === undefined || !current.opened) {
      this.#end('owner', NO_STATUS);
      return closed;
    }
    this.#clearTimers(current);
    this.#enter({ kind: 'closing' });
    current.timer = this.#options.clock.setTimer(() => this.#lose(current, { code: 1006, reason: 'no close frame' }), CLOSE_TIMEOUT_MS);
    current.socket.close(code, reason);
    this.#queue.clear();
    return closed;
  }

  #connect(): void {
    const { url, openSocket, connectTimeoutMs, clock } = this.#options;
    this.#enter({ kind: 'connecting', attempt: this.#attempt });
    // Who hears of it may have closed.
    if (this.state.kind !== 'connecting') return;
    const events = {
      onOpen: () => this.#opened(current),
      onText: (text: string) => {
        if (this.#current !== current) return;
        current.keepAlive?.heard();
        this.#options.owner.onText(text);
      },
      onActivity: () => {
        if (this.#current === current) current.keepAlive?.heard();
      },
      onClose: (closed: Closed) => this.#gone(current, closed),
    };
    const current: Current = { socket: openSocket(url, events), opened: false, keepAlive: undefined, timer: undefined };
    this.#current = current;
    current.timer = clock.setTimer(() => this.#lose(current, { code: 1006, reason: 'it did not open in time' }), connectTimeoutMs);
  }

  #opened(current: Current): void {
    if (this.#current !== current) return;
    const { clock, keepAlive, provenAfterMs, owner } = this.#options;
    const { socket } = current;
    this.#clearTimers(current);
    current.opened = true;
    current.timer = clock.setTimer(() => {
      this.#attempt = 0;
    }, provenAfterMs);
    current.keepAlive = keepAlive?.({ clock, ping: () => socket.ping?.(), drop: (reason) => this.#lose(current, { code: 1006, reason }) });
    const send = (text: string) => {
      if (this.#current === current) socket.send(text);
    };
    owner.onOpen(send);
    // Who hears that something was dropped may add something.
    while (this.#queue.length > 0) for (const text of this.#queue.take()) socket.send(text);
    owner.onFlushed(send);
    if (this.#state.kind === 'connecting' && this.#current === current) this.#enter({ kind: 'open' });
  }

  /** The peer is given up; its socket may tell its end much later, or never. */
  #lose(current: Current, closed: Closed): void {
    current.socket.terminate();
    this.#gone(current, closed);
  }

  #gone(current: Current, closed: Closed): void {
    if (this.#current !== current) return;
    this.#clearTimers(current);
    this.#current = undefined;
    if (current.opened) this.#options.owner.onLost(closed);
    if (this.#state.kind === 'closing') this.#end('owner', closed);
    else if (this.#attempt >= this.#options.maxAttempts) this.#end('attempts', closed);
    else this.#wait(closed);
  }

  #wait(last: Closed): void {
    const { backoff, random, clock } = this.#options;
    const attempt = this.#attempt++;
    const delayMs = backoffDelay(attempt, random(), backoff);
    this.#waitTimer = clock.setTimer(() => this.#retry(), delayMs);
    this.#enter({ kind: 'waiting', attempt, delayMs, last });
  }

  #retry(): void {
    this.#options.clock.clearTimer(this.#waitTimer);
    this.#connect();
  }

  /** The network is back or somebody looks: no reason to wait any longer. */
  #wake(): void {
    if (this.#state.kind === 'waiting') this.#retry();
  }

  #end(by: 'owner' | 'attempts', last: Closed): void {
    this.#options.clock.clearTimer(this.#waitTimer);
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined) {
      this.#clearTimers(current);
      current.socket.terminate();
    }
    this.#stopListening();
    this.#enter({ kind: 'closed', by, last });
    // After the change, so that nothing is added any more.
    this.#queue.clear();
    for (const resolve of this.#closedWaiters.splice(0)) resolve();
  }

  #clearTimers(current: Current): void {
    this.#options.clock.clearTimer(current.timer);
    current.keepAlive?.stop();
    current.keepAlive = undefined;
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#options.owner.onState(state);
  }
}
