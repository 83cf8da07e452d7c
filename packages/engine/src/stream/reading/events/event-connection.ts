import type { Socket } from 'node:net';
import { CLOSE_CODES, type CloseName } from '@rivulet/protocol';
import { plainAddress } from '../../../structures/ip-address.js';
import { takenByKernel } from '../../../transport/ws-internals.js';
import type { SessionConnection } from '../../session/session-context.js';
import type { StreamSession } from '../../session/stream-session.js';
import { type EventStreamEnd, endOf } from '../requests/read-figures.js';
import type { EventEncoder, EventState } from './event-encoder.js';
import type { EventLayout } from './event-layout.js';

/** Close code of a connection that ended without a word. */
const DROPPED = 1006;
/** Milliseconds after which a connection is dropped whose client does not take its last bytes. */
const CLOSE_MS = 5_000;
/** The least and the most milliseconds after which a client returns that the engine has sent away. */
const RETRY_LEAST_MS = 1_000;
const RETRY_SPREAD_MS = 4_000;
/** A comment. Clients skip it, and proxies see that the connection lives. */
const COMMENT = Buffer.from(':\n\n');

/** Returns the line that tells a client when to return. The times are spread, so that the clients do not all return at once. */
export function retryLine(): string {
  return `retry: ${RETRY_LEAST_MS + Math.floor(Math.random() * RETRY_SPREAD_MS)}\n\n`;
}

/** Milliseconds that the kernel needs to find that a peer does not answer: ten probes, and some time for the timer of the comments. */
const PROBING_MS = 13_000;
/** The kernel counts the pause before its probes in seconds. */
const LEAST_PAUSE_MS = 1_000;

export interface EventConnectionDeps {
  readonly encoder: EventEncoder;
  /** The connections that are open. */
  readonly open: Set<EventConnection>;
  /** Counts a stream that has ended. */
  readonly ended: (reason: EventStreamEnd) => void;
  /** Milliseconds between two comments. */
  readonly pingIntervalMs: number;
  /** Number of beats in a row after which a client is dropped that has taken no waiting byte since the first of them. */
  readonly stallBeats: number;
}

/**
 * The connection of one event stream. To its session it is what a WebSocket is: the hub writes frames, and a reader that is slow is served
 * from its cursor. It writes to the socket itself, behind the head of the response, so that all readers share one buffer.
 */
export class EventConnection implements SessionConnection {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #deps: EventConnectionDeps;
  readonly #layout: EventLayout;
  #state: EventState;
  #session: StreamSession | undefined;
  #isOpen = true;
  /** Bytes that the kernel had taken at the last beat. */
  #taken = 0;
  /** Number of beats since the first one at which bytes waited, and none has left since. -1: none waited at the last beat. */
  #stalledBeats = -1;

  constructor(socket: Socket, layout: EventLayout, state: EventState, remoteAddress: string, deps: EventConnectionDeps) {
    this.#socket = socket;
    this.#layout = layout;
    this.#state = state;
    this.remoteAddress = remoteAddress;
    this.#deps = deps;
  }

  /** Connects the session. The events of the socket reach it from now on, unless it has ended already. */
  own(session: StreamSession): void {
    if (!this.#isOpen) return;
    this.#session = session;
    this.#deps.open.add(this);
    const socket = this.#socket;
    // Nothing answers a comment. The kernel probes a client only while no bytes are unconfirmed: it needs the time before the next comment.
    socket.setKeepAlive(true, Math.max(LEAST_PAUSE_MS, this.#deps.pingIntervalMs - PROBING_MS));
    socket.on('drain', () => session.onDrain());
    const left = () => this.#drop('left');
    socket.once('end', left);
    socket.once('close', left);
    if (socket.destroyed || socket.readableEnded) left();
  }

  get transport(): 'sse' {
    return 'sse';
  }

  get peerAddress(): string {
    return plainAddress(this.#socket.remoteAddress ?? '');
  }

  /** Ports of the socket; `undefined` when it is closed. */
  get ports(): { readonly local: number; readonly remote: number } | undefined {
    const { localPort, remotePort } = this.#socket;
    return localPort === undefined || remotePort === undefined ? undefined : { local: localPort, remote: remotePort };
  }

  /** Bytes that the kernel has taken from this stream. */
  get taken(): number {
    return takenByKernel(this.#socket);
  }

  get buffered(): number {
    return this.#socket.writableLength;
  }

  write(frames: Buffer): void {
    if (!this.#isOpen) return;
    const { bytes, after } = this.#deps.encoder.encode(frames, this.#layout, this.#state);
    this.#state = after;
    this.#socket.write(bytes);
  }

  /**
   * Sends a comment, unless bytes wait or a message has not ended. Returns whether the client has stalled, and was dropped. It counts beats
   * and no time, so a blocked event loop is not held against a client.
   */
  beat(): boolean {
    if (!this.#isOpen) return false;
    if (this.#socket.writableLength === 0) {
      this.#stalledBeats = -1;
      if (this.#state.open === undefined) this.#socket.write(COMMENT);
      return false;
    }
    const { taken } = this;
    this.#stalledBeats = taken === this.#taken ? this.#stalledBeats + 1 : 0;
    this.#taken = taken;
    if (this.#stalledBeats < this.#deps.stallBeats) return false;
    this.stalled();
    return true;
  }

  /** Drops a client that takes or confirms nothing. */
  stalled(): void {
    this.#drop('stalled');
  }

  close(name: CloseName): void {
    if (!this.#isOpen) return;
    const returns = name === 'restart' || name === 'tryLater' || name === 'internal';
    // Within a message, the line would be a part of it. The client returns without it.
    if (returns && this.#state.open === undefined) this.#socket.write(retryLine());
    this.#end(CLOSE_CODES[name].code, endOf(name));
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.#drop('left');
  }

  #drop(reason: 'left' | 'stalled'): void {
    this.#end(DROPPED, reason);
    this.#socket.destroy();
  }

  #end(code: number, reason: EventStreamEnd): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#deps.ended(reason);
    this.#deps.open.delete(this);
    this.#session?.onClose(code);
  }
}
