import { type Dropped, type OutboundBounds, OutboundQueue } from './outbound-queue.js';
import { type ReconnectingOptions, type ReconnectingOwner, ReconnectingSocket, type Send } from './reconnecting-socket.js';

export { type BackoffOptions, DEFAULT_BACKOFF } from './backoff.js';
export { type Clock, SYSTEM_CLOCK } from './clock.js';
export type { ConnectionState } from './connection-state.js';
export { type KeepAlive, type KeepAliveRun, type Link, pingKeepAlive } from './keep-alive.js';
export { type Dropped, type OutboundBounds, OutboundQueue } from './outbound-queue.js';
export type { Send } from './reconnecting-socket.js';
export type { Closed, OpenSocket, Socket, SocketEvents } from './socket.js';
export type {
  WakeSource,
  /** @deprecated Use `WakeSource`. */
  WakeSource as Awakening,
} from './wake-source.js';
export { openWebSocket } from './web-socket.js';

/** The owner of a connection, which gets its events. The methods must not throw. */
export interface ConnectionOwner extends ReconnectingOwner {
  /** Called when a socket is open. Texts that are sent in this call go out before the queue. */
  onOpen(send: Send): void;
  /**
   * Called when all texts of the queue have been handed to the socket.
   * @default nothing
   */
  onFlushed?(send: Send): void;
}

export interface ConnectionOptions extends ReconnectingOptions {
  readonly owner: ConnectionOwner;
  /**
   * The bounds of the queue of texts that wait for a connection.
   * @default 10,000 texts and 16,777,216 code units
   */
  readonly outbound?: OutboundBounds;
  /**
   * The unsent bytes of an open socket above which `send` refuses.
   * @default 64 MiB
   */
  readonly maxBufferedBytes?: number;
}

/**
 * The fate of a text. `full`: a bound is reached and the text was not accepted. `closed`: the connection is closed and never sends the
 * text.
 */
export type Sending = 'sent' | 'queued' | 'full' | 'closed';

/**
 * A socket that connects again, with a queue of texts that wait for a connection.
 *
 * The order of events after a socket opens is fixed: `onOpen`, the texts of the queue, `onFlushed`, and the state `open`. The owner relies
 * on it: registrations that it sends in `onOpen` arrive before the calls that waited.
 */
export class Connection extends ReconnectingSocket {
  readonly #queue: OutboundQueue;
  readonly #maxBufferedBytes: number;
  #send: Send = () => {};

  constructor(options: ConnectionOptions) {
    const { owner, outbound = { messages: 10_000, units: 16_777_216 }, maxBufferedBytes = 67_108_864, ...others } = options;
    const queue = new OutboundQueue(outbound);
    super({
      ...others,
      owner: {
        onOpen: (send) => {
          this.#send = send;
          owner.onOpen(send);
          // A sender that hears of a dropped text may add another one.
          while (queue.length > 0) for (const text of queue.take()) send(text);
          owner.onFlushed?.(send);
        },
        onText: (text) => owner.onText(text),
        onLost: (closed) => owner.onLost(closed),
        onState: (state) => {
          owner.onState(state);
          // The queue is cleared after the change of state, so that no sender adds a text any more.
          if (state.kind === 'closing' || state.kind === 'closed') queue.clear();
        },
      },
    });
    this.#queue = queue;
    this.#maxBufferedBytes = maxBufferedBytes;
  }

  /** The number of texts that wait for a connection. */
  get queued(): number {
    return this.#queue.length;
  }

  /**
   * Sends a text now or, while there is no connection, when one opens. Before it sends a queued text it calls `wanted`, and drops the text
   * if the answer is false. `dropped` is called at most once, when a `queued` text will never be sent. It must not throw.
   */
  send(text: string, wanted?: () => boolean, dropped?: (why: Dropped) => void): Sending {
    if (this.state.kind === 'closed' || this.state.kind === 'closing') return 'closed';
    const { unsentBytes } = this;
    if (unsentBytes === undefined) return this.#queue.add(text, wanted, dropped) ? 'queued' : 'full';
    if (unsentBytes > this.#maxBufferedBytes) return 'full';
    this.#send(text);
    return 'sent';
  }
}
