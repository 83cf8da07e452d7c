/** Runs asynchronous work one after another within a line, lines beside each other. */
export class Lines {
  /** The last of each line that has not ended. */
  readonly #last = new Map<string, Promise<unknown>>();
  #size = 0;

  /** Work that has not ended. */
  get size(): number {
    return this.#size;
  }

  /** Runs `work` when all before it in the line has ended, however it ended. */
  run<T>(line: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(line);
    const running = before === undefined ? work() : before.then(work, work);
    this.#size++;
    this.#last.set(line, running);
    const ended = () => {
      this.#size--;
      if (this.#last.get(line) === running) this.#last.delete(line);
    };
    running.then(ended, ended);
    return running;
  }
}
