import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Inbox } from '../inbox.js';

/** One event of a stream, and the id that stands with it. */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/** A reader of `text/event-stream` over a bare TCP connection. It never reconnects by itself. */
export class EventStream {
  readonly socket: Socket;
  readonly events = new Inbox<StreamEvent>();
  /** Comments and `retry` lines. */
  readonly others: string[] = [];
  /** Head of the response. */
  readonly head: Promise<string>;
  readonly closed: Promise<void>;
  #text = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    let headCame: (head: string) => void = () => {};
    this.head = new Promise((resolve) => (headCame = resolve));
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    let isBody = false;
    socket.on('data', (text: string) => {
      this.#text += text;
      const end = this.#text.indexOf('\r\n\r\n');
      if (!isBody && end < 0) return;
      if (!isBody) {
        headCame(this.#text.slice(0, end));
        this.#text = this.#text.slice(end + 4);
        isBody = true;
      }
      for (let at = this.#text.indexOf('\n\n'); at >= 0; at = this.#text.indexOf('\n\n')) {
        this.#take(this.#text.slice(0, at));
        this.#text = this.#text.slice(at + 2);
      }
    });
  }

  /** Opens a stream. `url`: its URL, with `http:` or `ws:`. */
  static open(url: string, headers: Readonly<Record<string, string>> = {}): EventStream {
    const { hostname, port, pathname, search, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    const lines = Object.entries({ host, accept: 'text/event-stream', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
    return new EventStream(socket);
  }

  #take(block: string): void {
    const lines = block.split('\n');
    const valueOf = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const data = valueOf('data');
    if (data === undefined) this.others.push(block);
    else this.events.push({ id: valueOf('id'), data });
  }
}
