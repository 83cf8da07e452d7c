import type { Socket } from 'node:net';
import { CLOSE_CODES, type CloseName } from '@rivulet/protocol';
import type { SessionConnection, StreamSession } from '../session/stream-session.js';
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

export interface EventConnectionDeps {
  readonly encoder: EventEncoder;
  /** The connections that are open. */
  readonly open: Set<EventConnection>;
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

  constructor(socket: Socket, layout: EventLayout, state: EventState, remoteAddress: string, deps: EventConnectionDeps) {
    this.#socket = socket;
    this.#layout = layout;
    this.#state = state;
    this.remoteAddress = remoteAddress;
    this.#deps = deps;
  }

  /** Connects the session. The events of the socket reach it from now on. */
  own(session: StreamSession): void {
    this.#session = session;
    this.#deps.open.add(this);
    const socket = this.#socket;
    socket.on('drain', () => session.onDrain());
    socket.once('end', () => this.#ended());
    socket.once('close', () => this.#ended());
    if (socket.destroyed || socket.readableEnded) this.#ended();
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

  /** Sends a comment, unless bytes wait or a message has not ended. */
  beat(): void {
    if (this.#isOpen && this.#state.open === undefined && this.#socket.writableLength === 0) this.#socket.write(COMMENT);
  }

  close(name: CloseName): void {
    if (!this.#isOpen) return;
    const returns = name === 'restart' || name === 'tryLater' || name === 'internal';
    // Within a message, the line would be a part of it. The client returns without it.
    if (returns && this.#state.open === undefined) this.#socket.write(retryLine());
    this.#end(CLOSE_CODES[name].code);
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.#end(DROPPED);
    this.#socket.destroy();
  }

  /** The client has left. */
  #ended(): void {
    this.#end(DROPPED);
    this.#socket.destroy();
  }

  #end(code: number): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#deps.open.delete(this);
    this.#session?.onClose(code);
  }
}
