import type { TurnBudget } from '../structures/turn-budget.js';

interface LateFrame {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/**
 * Frames of one connection that came in a turn of the event loop which was long already. They are delivered in later turns, in order. One read
 * of a socket may bring hundreds of small frames, and each may cause much work.
 */
export class LateFrames {
  readonly #turns: TurnBudget;
  readonly #deliver: (data: Buffer, isBinary: boolean) => void;
  readonly #afterwards: (() => void)[] = [];
  #frames: LateFrame[] = [];

  constructor(turns: TurnBudget, deliver: (data: Buffer, isBinary: boolean) => void) {
    this.#turns = turns;
    this.#deliver = deliver;
  }

  add(data: Buffer, isBinary: boolean): void {
    this.#frames.push({ data, isBinary });
  }

  /** Runs when all frames are delivered. */
  afterwards(run: () => void): void {
    this.#afterwards.push(run);
  }

  /** Delivers what is there, and what is added meanwhile. */
  async run(): Promise<void> {
    while (this.#frames.length > 0) {
      await this.#turns.next();
      let delivered = 0;
      do {
        const { data, isBinary } = this.#frames[delivered++] as LateFrame;
        this.#deliver(data, isBinary);
      } while (delivered < this.#frames.length && !this.#turns.over);
      this.#frames = this.#frames.slice(delivered);
    }
    for (const run of this.#afterwards) run();
  }
}
