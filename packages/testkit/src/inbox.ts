/** Ends a test whose message never comes. It is long, because a busy machine delays what comes at once on a quiet one. */
export const PATIENCE_MS = 60_000;

interface Waiter<T> {
  readonly wanted: (message: T) => boolean;
  readonly resolve: (message: T) => void;
  readonly timer: NodeJS.Timeout;
}

/** Messages as they came, and tests that wait for one. */
export class Inbox<T> {
  readonly all: T[] = [];
  #waiters: Waiter<T>[] = [];
  #taken = new Set<T>();

  push(message: T): void {
    this.all.push(message);
    const waiter = this.#waiters.find((each) => each.wanted(message));
    if (waiter === undefined) return;
    this.#waiters = this.#waiters.filter((each) => each !== waiter);
    clearTimeout(waiter.timer);
    this.#taken.add(message);
    waiter.resolve(message);
  }

  /** Forgets what came. */
  clear(): void {
    this.all.length = 0;
    this.#taken.clear();
  }

  /** The first message that fits and was not taken before; waits for it if it has not come yet. */
  take(wanted: (message: T) => boolean, what = 'a message'): Promise<T> {
    const there = this.all.find((message) => !this.#taken.has(message) && wanted(message));
    if (there !== undefined) {
      this.#taken.add(there);
      return Promise.resolve(there);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const seen = JSON.stringify(this.all.slice(-5)).slice(0, 1_000);
        reject(new Error(`${what} did not come within ${PATIENCE_MS} ms; the last ones: ${seen}`));
      }, PATIENCE_MS);
      this.#waiters.push({ wanted, resolve, timer });
    });
  }
}
