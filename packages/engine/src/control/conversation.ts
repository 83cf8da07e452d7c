import type { Socket } from 'node:net';
import { LIMITS, RivuletError } from '@rivulet/protocol';

/** Messages that may wait for `receive`. A peer that sends more is cut off. */
const MOST_WAITING = 64;
const LINE_FEED = 0x0a;

/** One line of a conversation: a JSON object. The reader checks its members. */
export type Line = Readonly<Record<string, unknown>>;

/**
 * Two processes that send each other lines of JSON over a Unix socket, in turns that the operation decides. Both ends use this class.
 * Everything about the peer is bounded: the length of a line, the number of waiting lines, and each wait.
 */
export class Conversation {
  readonly #socket: Socket;
  readonly #waiting: Line[] = [];
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #failure: RivuletError | undefined;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => this.#fail('the connection failed; try again'));
    socket.on('close', () => this.#fail('the other process has closed the connection; its output or log says why'));
  }

  /** Sends a line. Does nothing when the connection is closed. */
  send(line: Line): void {
    if (this.#failure === undefined) this.#socket.write(`${JSON.stringify(line)}\n`);
  }

  /** Resolves with the next line. Rejects when none comes within this time, or when the connection ends. */
  async receive(milliseconds: number): Promise<Line> {
    const timer = setTimeout(() => this.#fail(`the other process sent nothing for ${milliseconds} ms`), milliseconds);
    try {
      for (;;) {
        const line = this.#waiting.shift();
        if (line !== undefined) return line;
        if (this.#failure !== undefined) throw this.#failure;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the conversation when everything is sent. */
  end(): void {
    this.#socket.end();
  }

  /** Ends the conversation at once. */
  cut(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    let begin = 0;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, begin)) {
      this.#partial.push(bytes.subarray(begin, at));
      begin = at + 1;
      const text = Buffer.concat(this.#partial).toString();
      this.#partial = [];
      this.#partialBytes = 0;
      const line = lineOf(text);
      if (line === undefined) return this.#fail('the other process sent a line that is no JSON object; use the same version on both sides');
      if (this.#waiting.length >= MOST_WAITING) return this.#fail(`more than ${MOST_WAITING} lines wait; send fewer`);
      this.#waiting.push(line);
      this.#wake();
    }
    this.#partial.push(bytes.subarray(begin));
    this.#partialBytes += bytes.length - begin;
    if (this.#partialBytes > LIMITS.controlLineBytes) this.#fail(`a line is longer than ${LIMITS.controlLineBytes} bytes; send less`);
  }

  #fail(message: string): void {
    this.#failure ??= new RivuletError('CONTROL_FAILED', message);
    this.#socket.destroy();
    this.#wake();
  }
}

function lineOf(text: string): Line | undefined {
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try, and a line is at most `controlLineBytes` long
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}
