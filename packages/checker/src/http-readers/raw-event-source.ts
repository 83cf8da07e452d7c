import { connect, type Socket } from 'node:net';
import { ExactEvents } from '@rivulet/testkit/peers/exact-events';
import type { Random } from '@rivulet/testkit/random';
import { readEvent } from '../client/event-reader.js';

export interface RawEventSourceOptions {
  readonly port: number;
  /** Address of the client. Several addresses of the loopback network have more ports than one. */
  readonly localAddress: string;
  readonly paths: readonly string[];
  readonly random: Random;
  /** Most events of one connection before the reader cuts it. */
  readonly cutWithin: number;
  /** Longest pause before the first connection. The kernel resets connections when thousands wait for a busy engine. */
  readonly openWithinMs: number;
}

const HEAD_END = '\r\n\r\n';
const EVENT_END = '\n\n';
/** Longest pause before a reader connects again, in milliseconds. */
const RETRY_MS = 300;

/**
 * An `EventSource` on a bare socket. It cuts its connection right behind a random event, drops everything that came after it, and goes on
 * with `Last-Event-ID`. One cut in two is a reset.
 */
export class RawEventSource {
  readonly events: ExactEvents;
  readonly #options: RawEventSourceOptions;
  #socket: Socket | undefined;
  #text = '';
  #isBody = false;
  /** Events until the next cut. */
  #left = 0;
  #ended = false;
  /** Whether the reader still cuts its connections. */
  cutting = true;
  cuts = 0;
  /** Connections that ended otherwise, and requests that were refused. */
  dropped = 0;

  constructor(options: RawEventSourceOptions) {
    this.#options = options;
    this.events = new ExactEvents(options.paths);
    this.#connectLater(options.openWithinMs);
  }

  /** Ends the reader for good. */
  end(): void {
    this.#ended = true;
    this.#socket?.destroy();
  }

  #connectLater(withinMs: number): void {
    if (!this.#ended) setTimeout(() => this.#connect(), this.#options.random.below(withinMs));
  }

  #connect(): void {
    if (this.#ended) return;
    const { port, localAddress, random, cutWithin } = this.#options;
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    this.#socket = socket;
    this.#text = '';
    this.#isBody = false;
    this.#left = random.between(1, cutWithin);
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (text: string) => this.#read(socket, text));
    socket.once('close', () => {
      if (this.#socket !== socket) return;
      this.dropped++;
      this.#lost();
    });
    const { lastId, target } = this.events;
    const since = lastId === undefined ? '' : `last-event-id: ${lastId}\r\n`;
    socket.write(`GET ${target} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\naccept: text/event-stream\r\n${since}\r\n`);
  }

  #read(socket: Socket, text: string): void {
    if (this.#socket !== socket) return;
    this.#text += text;
    if (!this.#isBody) {
      const end = this.#text.indexOf(HEAD_END);
      if (end < 0) return;
      if (!this.#text.startsWith('HTTP/1.1 200 ')) {
        socket.destroy();
        return;
      }
      this.#text = this.#text.slice(end + HEAD_END.length);
      this.#isBody = true;
    }
    let begin = 0;
    for (let end = this.#text.indexOf(EVENT_END); end >= 0; end = this.#text.indexOf(EVENT_END, begin)) {
      const event = readEvent(this.#text.slice(begin, end));
      begin = end + EVENT_END.length;
      if (event === undefined) continue;
      this.events.take(event);
      if (this.cutting && --this.#left === 0) return this.#cut(socket);
    }
    this.#text = this.#text.slice(begin);
  }

  #cut(socket: Socket): void {
    this.cuts++;
    this.#socket = undefined;
    if (this.#options.random.chance(0.5)) socket.resetAndDestroy();
    else socket.destroy();
    this.#lost();
  }

  #lost(): void {
    this.#socket = undefined;
    this.events.cut();
    this.#connectLater(RETRY_MS);
  }
}
