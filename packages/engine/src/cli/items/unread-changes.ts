import type { UnreadOutput } from '../command/command.js';

/**
 * Counts the characters of changes that wait for the reader of the output. The present items are not among them: a reader may take its time
 * for these, because they are as large as the group, and no larger. Present items that come while others wait count as changes, so that a
 * reader who has stopped cannot collect them again and again.
 */
export class UnreadChanges {
  readonly #unread: Pick<UnreadOutput, 'length'> | undefined;
  /** Characters that were printed until now. */
  #printed = 0;
  /** The place of the last present items that do not count, in printed characters. */
  #free = { from: 0, to: 0 };

  constructor(unread: Pick<UnreadOutput, 'length'> | undefined) {
    this.#unread = unread;
  }

  /** Counts text that is printed now. Call it before the print. */
  add(characters: number): void {
    this.#printed += characters;
  }

  /** Runs `print`, which prints the present items. */
  printPresent(print: () => void): void {
    const from = this.#printed;
    const isFree = this.#taken() >= this.#free.to;
    print();
    if (isFree) this.#free = { from, to: this.#printed };
  }

  /** The characters of changes that wait. */
  get length(): number {
    const taken = this.#taken();
    return this.#printed - taken - Math.max(0, this.#free.to - Math.max(taken, this.#free.from));
  }

  #taken(): number {
    return this.#printed - (this.#unread?.length ?? 0);
  }
}
