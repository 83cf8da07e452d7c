import { StreamError } from '../access/stream-error.js';

/** Ends a subscription to changes, or removes a listener. Further calls do nothing. */
export type Unsubscribe = () => void;

/**
 * Calls a listener. If it throws, the error is thrown again in a microtask, where the runtime reports it. So a listener that fails stops
 * neither the other listeners nor the application of frames.
 */
function callListener(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/**
 * The listeners for one kind of event. They are called in the order in which they were added. A listener that is added during an event is
 * called from the next event on. A listener that is removed during an event is not called any more.
 */
export class Listeners<Event> {
  readonly #all = new Set<{ readonly notify: (event: Event) => void }>();

  get size(): number {
    return this.#all.size;
  }

  /** Adds a listener. Throws `INVALID_OPTIONS` if it is no function. */
  add(notify: (event: Event) => void): Unsubscribe {
    if (typeof notify !== 'function') throw new StreamError('INVALID_OPTIONS', 'the listener must be a function');
    const entry = { notify };
    this.#all.add(entry);
    return () => {
      this.#all.delete(entry);
    };
  }

  emit(event: Event): void {
    for (const entry of Array.from(this.#all)) {
      if (this.#all.has(entry)) callListener(() => entry.notify(event));
    }
  }

  clear(): void {
    this.#all.clear();
  }
}
