import { connect, type Socket } from 'node:net';
import type { Random } from '@rivulet/testkit/random';
import type { WatchingClient } from '../client/watching-client.js';

export interface LiveHttpOptions {
  /** URL of the stream port, which may change when the client connects again. */
  readonly url: () => string;
  readonly client: WatchingClient;
  readonly random: Random;
  /** Longest pause before a new connection, in milliseconds. */
  readonly mostMs: number;
  /** Runs after every event of the socket. */
  readonly onEvent: () => void;
}

/** Time in which the first byte of an answer must come, and longest time of a long poll. */
const ANSWER_MS = 5_000;

/** A connection of plain HTTP that is opened again until it is closed. The seed chooses the pauses. */
export class LiveHttp {
  readonly #options: LiveHttpOptions;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LiveHttpOptions) {
    this.#options = options;
    this.#dial();
  }

  drop(): void {
    this.#socket?.resetAndDestroy();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #dial(): void {
    const { url, client, random, mostMs, onEvent } = this.#options;
    const { hostname, port } = new URL(url());
    const socket = connect(Number(port), hostname);
    this.#socket = socket;
    // A request whose bytes were lost gets no answer.
    let waiting = setTimeout(() => socket.destroy(), ANSWER_MS);
    socket.on('error', () => {});
    socket.once('connect', () => {
      client.connected((text) => {
        clearTimeout(waiting);
        waiting = setTimeout(() => socket.destroy(), ANSWER_MS);
        socket.write(text);
      });
      onEvent();
    });
    socket.on('data', (bytes) => {
      clearTimeout(waiting);
      client.read(bytes);
      onEvent();
    });
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(waiting);
      client.lost();
      onEvent();
      if (!this.#closed) this.#timer = setTimeout(() => this.#dial(), random.between(1, mostMs));
    });
  }
}
