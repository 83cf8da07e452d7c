import type { TurnBudget } from '../structures/turn-budget.js';
import type { ParsedPiece } from './ws-internals.js';

/** A frame that the parser has read and that the connection has not handled yet. */
export interface ParsedFrame {
  readonly kind: 'text' | 'binary' | 'ping';
  readonly data: Buffer;
}

/** The work of the connection that owns a backlog. */
export interface BacklogWork {
  /** Parses the first piece of the bytes, and adds each frame in it to the backlog. */
  parsePiece(bytes: Buffer): ParsedPiece;
  handle(frame: ParsedFrame): void;
  /** Forgets the backlog. Runs before everything that waits for its end. */
  ended(): void;
}

interface Unparsed {
  bytes: Buffer;
  readonly done: (error?: Error | null) => void;
}

/**
 * Input of one connection that waits for a later turn of the event loop, because this turn has used up its time. One read of a socket has
 * up to 64 KiB. That may be thousands of frames, and each frame may cause much work. The backlog parses the bytes in small pieces and
 * handles the frames one by one, in order. It continues each turn until the time of the turn is used up. The connection does not read its
 * socket meanwhile.
 */
export class InboundBacklog {
  readonly #turns: TurnBudget;
  readonly #work: BacklogWork;
  readonly #afterwards: (() => void)[] = [];
  #frames: ParsedFrame[] = [];
  #handled = 0;
  #unparsed: Unparsed | undefined;
  #error: Error | undefined;

  constructor(turns: TurnBudget, work: BacklogWork) {
    this.#turns = turns;
    this.#work = work;
  }

  /** Adds a frame that the parser has read. */
  add(frame: ParsedFrame): void {
    this.#frames.push(frame);
  }

  /** Adds the bytes behind all frames. Calls `done` when they are parsed and all frames are handled. */
  feed(bytes: Buffer, done: (error?: Error | null) => void): void {
    this.#unparsed = { bytes, done };
  }

  /** Calls `run` when the backlog is empty. */
  afterwards(run: () => void): void {
    this.#afterwards.push(run);
  }

  /** Works until the backlog is empty, including input that arrives meanwhile. */
  async run(): Promise<void> {
    do {
      await this.#turns.next();
      while (this.#isBehind) {
        this.#step();
        if (this.#turns.over) break;
      }
      this.#frames = this.#frames.slice(this.#handled);
      this.#handled = 0;
    } while (this.#isBehind);
    this.#work.ended();
    this.#unparsed?.done(this.#error);
    for (const run of this.#afterwards) run();
  }

  get #isBehind(): boolean {
    return this.#handled < this.#frames.length || (this.#unparsed !== undefined && this.#unparsed.bytes.length > 0);
  }

  #step(): void {
    const frame = this.#frames[this.#handled];
    if (frame !== undefined) {
      this.#handled++;
      this.#work.handle(frame);
      return;
    }
    const unparsed = this.#unparsed as Unparsed;
    const { rest, error } = this.#work.parsePiece(unparsed.bytes);
    unparsed.bytes = rest;
    this.#error = error;
  }
}
