import { type BackoffOptions, backoffDelay, DEFAULT_BACKOFF } from './backoff.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import type { ConnectionState } from './connection-state.js';
import type { KeepAlive, KeepAliveRun } from './keep-alive.js';
import type { Closed, OpenSocket, Socket } from './socket.js';
import { pageWakeSource, type WakeSource } from './wake-source.js';
import { openWebSocket } from './web-socket.js';

/** Sends a text on the connection that has just opened. After the connection is lost it does nothing. */
export type Send = (text: string) => void;

/** The owner of a socket that connects again, which gets its events. The methods must not throw. */
export interface ReconnectingOwner {
  /** Called when a socket is open, before the state `open`. */
  onOpen(send: Send): void;
  onText(text: string): void;
  /** Called when an open socket is lost or closed. */
  onLost(closed: Closed): void;
  /** Called after every change of the state. */
  onState(state: ConnectionState): void;
}

export interface ReconnectingOptions {
  readonly url: string;
  readonly owner: ReconnectingOwner;
  /** @default sockets of the global `WebSocket` */
  readonly openSocket?: OpenSocket;
  /** @default `DEFAULT_BACKOFF` */
  readonly backoff?: BackoffOptions;
  /**
   * The attempts in a row that may fail before the connection closes for good.
   * @default no bound
   */
  readonly maxAttempts?: number;
  /**
   * The milliseconds in which a socket must open.
   * @default 10,000
   */
  readonly connectTimeoutMs?: number;
  /**
   * The milliseconds for which a socket must stay open before the backoff begins again from the shortest wait. Otherwise the client would
   * hammer a peer that accepts connections and closes them at once.
   * @default 5,000
   */
  readonly provenAfterMs?: number;
  /**
   * The policy that finds dead connections.
   * @default none
   */
  readonly keepAlive?: KeepAlive;
  /** @default `online` and `visibilitychange` of the page, where they exist */
  readonly wakeSource?: WakeSource;
  readonly clock?: Clock;
  /** Returns a number in [0, 1). */
  readonly random?: () => number;
}

const CLOSE_TIMEOUT_MS = 2_000;
const NO_STATUS: Closed = { code: 1005, reason: '' };

/** The current socket. The connection ignores events of earlier sockets. */
interface Current {
  readonly socket: Socket;
  opened: boolean;
  keepAlive: KeepAliveRun | undefined;
  timer: unknown;
}

/**
 * One WebSocket that connects again by itself until it is closed. The constructor connects, and throws what `openSocket` throws. Its owner
 * sends on the socket that `onOpen` gives to it. {@link Connection} has a queue besides.
 */
export class ReconnectingSocket {
  readonly #options: Required<Omit<ReconnectingOptions, 'keepAlive'>> & Pick<ReconnectingOptions, 'keepAlive'>;
  readonly #stopListening: () => void;
  #state: ConnectionState = { kind: 'connecting', attempt: 0 };
  #current: Current | undefined;
  #attempt = 0;
  #waitTimer: unknown;
  #closedWaiters: (() => void)[] = [];

  constructor(options: ReconnectingOptions) {
    this.#options = {
      openSocket: openWebSocket,
      backoff: DEFAULT_BACKOFF,
      maxAttempts: Number.POSITIVE_INFINITY,
      connectTimeoutMs: 10_000,
      provenAfterMs: 5_000,
      wakeSource: pageWakeSource,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      ...options,
    };
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

  /** The unsent bytes of the open socket. `undefined`: no socket is open. */
  protected get unsentBytes(): number | undefined {
    return this.#state.kind === 'open' ? this.#current?.socket.bufferedAmount : undefined;
  }

  /** Ends the current socket and opens another one. An owner calls it when it can't use the socket any more. */
  restart(reason: string): void {
    const current = this.#current;
    if (current !== undefined) this.#lose(current, { code: 1006, reason });
  }

  /**
   * Closes the connection for good. Resolves when the socket is closed, after at most `CLOSE_TIMEOUT_MS`. Further calls
   * do nothing more.
   */
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
    return closed;
  }

  #connect(): void {
    const { url, openSocket, connectTimeoutMs, clock } = this.#options;
    this.#enter({ kind: 'connecting', attempt: this.#attempt });
    // The owner may have closed the connection in `onState`.
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
      onClose: (closed: Closed) => this.#onClosed(current, closed),
    };
    const current: Current = { socket: openSocket(url, events), opened: false, keepAlive: undefined, timer: undefined };
    this.#current = current;
    current.timer = clock.setTimer(() => this.#lose(current, { code: 1006, reason: 'the socket did not open in time' }), connectTimeoutMs);
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
    if (this.#state.kind === 'connecting' && this.#current === current) this.#enter({ kind: 'open' });
  }

  /** Ends the current socket without waiting for its close event, which may come much later or never. */
  #lose(current: Current, closed: Closed): void {
    current.socket.terminate();
    this.#onClosed(current, closed);
  }

  #onClosed(current: Current, closed: Closed): void {
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
    const delayMs = backoffDelay(attempt, random(), backoff, last.reason);
    this.#waitTimer = clock.setTimer(() => this.#retry(), delayMs);
    this.#enter({ kind: 'waiting', attempt, delayMs, last });
  }

  #retry(): void {
    this.#options.clock.clearTimer(this.#waitTimer);
    this.#connect();
  }

  /** Ends the wait, because the network is back or the user sees the page. */
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
