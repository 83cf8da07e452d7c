import { Mismatch, show } from './check.js';

interface Waiter<T> {
  readonly wanted: (message: T) => boolean;
  readonly resolve: (message: T) => void;
  readonly timer: NodeJS.Timeout;
}

/** Messages that the inbox keeps for the report and for later calls of `take`. It drops older ones. */
const MOST_KEPT = 20_000;

/** Keeps the messages of one socket in their order, and lets a case wait for one of them. */
export class Inbox<T extends object> {
  readonly all: T[] = [];
  readonly #patienceMs: number;
  readonly #taken = new WeakSet<T>();
  #waiters: Waiter<T>[] = [];

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  push(message: T): void {
    this.all.push(message);
    if (this.all.length > MOST_KEPT) this.all.shift();
    const waiter = this.#waiters.find((each) => each.wanted(message));
    if (waiter === undefined) return;
    this.#waiters = this.#waiters.filter((each) => each !== waiter);
    clearTimeout(waiter.timer);
    this.#taken.add(message);
    waiter.resolve(message);
  }

  /** Resolves with the first message that fits and was not taken before. Rejects with a `Mismatch` when none comes in time. */
  take(wanted: (message: T) => boolean, what: string): Promise<T> {
    const present = this.all.find((message) => !this.#taken.has(message) && wanted(message));
    if (present !== undefined) {
      this.#taken.add(present);
      return Promise.resolve(present);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((each) => each.timer !== timer);
        reject(
          new Mismatch(`${what} within ${this.#patienceMs} ms`, what, `nothing like it; the last messages: ${show(this.all.slice(-3))}`),
        );
      }, this.#patienceMs);
      this.#waiters.push({ wanted, resolve, timer });
    });
  }
}
