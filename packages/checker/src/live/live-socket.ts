import type { Random } from '@rivulet/testkit/random';
import { WebSocket } from 'ws';

/** The client that uses the socket. */
export interface Speaker {
  connected(send: (text: string) => void): void;
  received(text: string): void;
  lost(): void;
}

const HANDSHAKE_MS = 2_000;

/** A WebSocket that reconnects until it is closed. The seed chooses the pauses. */
export class LiveSocket {
  readonly #url: () => string;
  readonly #speaker: Speaker;
  readonly #random: Random;
  readonly #mostMs: number;
  readonly #onEvent: () => void;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `mostMs` is the longest pause before a new connection. `onEvent` is called after every event of the socket. */
  constructor(url: () => string, speaker: Speaker, random: Random, mostMs: number, onEvent: () => void) {
    this.#url = url;
    this.#speaker = speaker;
    this.#random = random;
    this.#mostMs = mostMs;
    this.#onEvent = onEvent;
    this.#dial();
  }

  /** Drops the connection without a close frame. */
  drop(): void {
    this.#socket?.terminate();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.terminate();
  }

  #dial(): void {
    const socket = new WebSocket(this.#url(), { perMessageDeflate: false, handshakeTimeout: HANDSHAKE_MS });
    this.#socket = socket;
    let open = false;
    socket.on('error', () => {});
    socket.once('open', () => {
      open = true;
      this.#speaker.connected((text) => socket.send(text));
      this.#onEvent();
    });
    socket.on('message', (data) => {
      this.#speaker.received((data as Buffer).toString());
      this.#onEvent();
    });
    socket.once('close', () => {
      if (open) this.#speaker.lost();
      this.#onEvent();
      if (!this.#closed) this.#timer = setTimeout(() => this.#dial(), this.#random.between(1, this.#mostMs));
    });
  }
}
