import { StreamError } from '../access/stream-error.js';

/** Ends what it was given for. Any number of calls is one. */
export type Unsubscribe = () => void;

/** A failing listener must stop neither the others nor the application of frames: its error is thrown where nobody but the runtime catches it. */
export function callListener(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Functions that are told of one kind of thing, in the order in which they were added. One that is added or removed meanwhile counts from the next. */
export class Listeners<Event> {
  readonly #all = new Set<{ readonly tell: (event: Event) => void }>();

  get size(): number {
    return this.#all.size;
  }

  add(tell: (event: Event) => void): Unsubscribe {
    if (typeof tell !== 'function') throw new StreamError('INVALID_OPTIONS', 'the listener must be a function');
    const entry = { tell };
    this.#all.add(entry);
    return () => {
      this.#all.delete(entry);
    };
  }

  emit(event: Event): void {
    for (const entry of Array.from(this.#all)) {
      if (this.#all.has(entry)) callListener(() => entry.tell(event));
    }
  }

  clear(): void {
    this.#all.clear();
  }
}
