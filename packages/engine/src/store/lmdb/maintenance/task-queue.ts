/** Whether a task has more to do after one slice. */
export type Progress = 'more' | 'done';

/**
 * Tasks that are due, in the order in which they became due, each at most once. The transitions of a task:
 *
 * - Idle, `add`: due, behind all others.
 * - Due, `add`: unchanged.
 * - First, `runNext` returns `more`: due, behind all others.
 * - First, `runNext` returns `done` or fails: idle.
 * - Running, `add`: due again after this slice.
 */
export class TaskQueue<T> {
  readonly #due = new Set<T>();

  get isEmpty(): boolean {
    return this.#due.size === 0;
  }

  has(task: T): boolean {
    return this.#due.has(task);
  }

  add(task: T): void {
    this.#due.add(task);
  }

  /** Runs one slice of the first task. Rejects with the error of `run`; the task is idle then. */
  async runNext(run: (task: T) => Promise<Progress>): Promise<void> {
    const [task] = this.#due;
    if (task === undefined) return;
    this.#due.delete(task);
    if ((await run(task)) === 'more') this.#due.add(task);
  }
}
