import { connect, type Socket } from 'node:net';

const SWITCHING = 'HTTP/1.1 101';
/** Bytes that may be unsent before a peer accepts no more. */
const MOST_UNSENT = 65_536;
const SETTLE_MS = 20_000;

/**
 * One raw connection to a listener. It writes bytes and searches the received bytes for marks only. When the engine ends the connection, as
 * it may, the next write opens another one.
 */
export class Peer {
  readonly #port: number;
  /** Text with which the engine answers a write; undefined if every received byte is an answer. */
  readonly #answer: string | undefined;
  #socket: Socket | undefined;
  /** Whether the engine has answered the upgrade with 101. */
  #upgraded = false;
  #waiting: { readonly mark: string; readonly resolve: () => void } | undefined;
  /** Number of connections that were opened. */
  opened = 0;
  /** Number of writes without an answer. */
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

  /** Whether the engine has not read the earlier writes yet. */
  get full(): boolean {
    return (this.#socket?.writableLength ?? 0) > MOST_UNSENT;
  }

  /** Drops the connection and opens another one, which begins with `head`. */
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

  /**
   * Writes `bytes`, which make the engine answer with `mark`. Resolves with true after the answer or the end of the connection, and with
   * false after 20 s.
   */
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

  /** Sends the remaining bytes and ends the connection. The next write opens another one. */
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
