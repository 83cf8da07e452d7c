/** Runs asynchronous tasks. Tasks with the same key run one after another, in the order of their calls; different keys run in parallel. */
export class KeyedSerialQueue {
  /** The last unfinished task of each key. */
  readonly #last = new Map<string, Promise<unknown>>();
  #size = 0;

  /** Number of unfinished tasks, including those that run. */
  get size(): number {
    return this.#size;
  }

  /** Runs `task` when all earlier tasks of the key have ended, also when they failed. Settles as the task settles. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const running = before === undefined ? task() : before.then(task, task);
    this.#size++;
    this.#last.set(key, running);
    const ended = () => {
      this.#size--;
      if (this.#last.get(key) === running) this.#last.delete(key);
    };
    running.then(ended, ended);
    return running;
  }
}
