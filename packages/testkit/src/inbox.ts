/** Milliseconds after which a test fails because a message is missing. The bound is long, because a busy machine delays messages. */
export const PATIENCE_MS = 120_000;

interface Waiter<T> {
  readonly wanted: (message: T) => boolean;
  readonly resolve: (message: T) => void;
  readonly timer: NodeJS.Timeout;
}

/** Keeps the messages of one connection in the order of their arrival, and hands them to tests that wait for one. */
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

  /** Forgets all messages that have arrived. */
  clear(): void {
    this.all.length = 0;
    this.#taken.clear();
  }

  /**
   * Resolves with the first matching message that no test has taken yet, and waits for one if there is none. Rejects after `PATIENCE_MS`
   * with `what` and the last messages.
   */
  take(wanted: (message: T) => boolean, what = 'a message'): Promise<T> {
    const present = this.all.find((message) => !this.#taken.has(message) && wanted(message));
    if (present !== undefined) {
      this.#taken.add(present);
      return Promise.resolve(present);
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
