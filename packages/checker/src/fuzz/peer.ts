import { connect, type Socket } from 'node:net';

const SWITCHING = 'HTTP/1.1 101';
/** Bytes that may wait for a peer before it takes no more. */
const MOST_UNSENT = 65_536;
const SETTLE_MS = 20_000;

/**
 * One raw connection to a listener. It writes what it is given and reads nothing but a mark that it waits for. When the engine ends the
 * connection, which is its right, the next write opens another one.
 */
export class Peer {
  readonly #port: number;
  /** With this text the engine answers a write; `undefined`: with anything. */
  readonly #answer: string | undefined;
  #socket: Socket | undefined;
  /** The engine has answered the upgrade with 101. */
  #upgraded = false;
  #waiting: { readonly mark: string; readonly resolve: () => void } | undefined;
  /** Connections that were opened so far. */
  opened = 0;
  /** Writes that the engine has not answered yet. */
  unanswered = 0;

  constructor(port: number, answer: string | undefined) {
    this.#port = port;
    this.#answer = answer;
  }

  get open(): boolean {
    return this.#socket?.writable === true;
  }

  /** Whether the engine upgraded the connection. */
  get upgraded(): boolean {
    return this.#upgraded;
  }

  /** Whether the engine has not taken yet what was written before. */
  get full(): boolean {
    return (this.#socket?.writableLength ?? 0) > MOST_UNSENT;
  }

  /** Opens a connection that begins with `head`; the one before is dropped. */
  start(head: string): void {
    this.retire();
    this.opened++;
    this.#upgraded = false;
    this.unanswered = 0;
    const socket = connect(this.#port, '127.0.0.1');
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      if (this.#socket !== socket) return;
      this.#count(data);
      this.#upgraded ||= data.includes(SWITCHING);
      if (this.#waiting !== undefined && data.includes(this.#waiting.mark)) this.#settled();
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#settled();
    });
    if (head !== '') socket.write(head, 'latin1');
  }

  write(bytes: Buffer): void {
    this.unanswered++;
    this.#socket?.write(bytes);
  }

  /** Writes `bytes`, which make the engine answer with `mark`. Resolves then, or when the connection has ended; false after 20 s. */
  async settle(bytes: Buffer, mark: string): Promise<boolean> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        resolve(false);
      }, SETTLE_MS);
      this.#waiting = {
        mark,
        resolve: () => {
          clearTimeout(timer);
          resolve(true);
        },
      };
      socket.write(bytes);
    });
  }

  /** Sends what waits, then ends; the next write needs a new connection. */
  retire(): void {
    this.#socket?.end();
    this.#socket = undefined;
  }

  end(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #count(data: Buffer): void {
    if (this.#answer === undefined) this.unanswered = 0;
    else for (let at = data.indexOf(this.#answer); at >= 0; at = data.indexOf(this.#answer, at + 1)) this.unanswered--;
  }

  #settled(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }
}
