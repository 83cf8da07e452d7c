import { LIMITS, RivuletError } from '@rivulet/protocol';
import { ReadEndedError } from './read-ended.js';

/**
 * A read of the store at the speed of one reader. The store keeps a view for the read, so it ends after `LIMITS.readViewMs`. A reader that
 * has not taken everything by then gets ReadEndedError.
 */
export class BriefRead {
  readonly #timer: NodeJS.Timeout;
  readonly #close: () => void;
  #state: 'open' | 'ended' | 'closed' = 'open';

  constructor(close: () => void) {
    this.#close = close;
    this.#timer = setTimeout(() => {
      this.#state = 'ended';
      close();
    }, LIMITS.readViewMs);
    this.#timer.unref();
  }

  /** Yields what `source` yields. Throws ReadEndedError when the time is over, or when the store has ended its view. */
  async *pieces<T>(source: AsyncIterable<T>): AsyncIterable<T> {
    try {
      for await (const piece of source) {
        this.#requireOpen();
        yield piece;
        this.#requireOpen();
      }
    } catch (error) {
      this.#requireOpen();
      // The store has ended its view.
      if (error instanceof RivuletError && error.code === 'OVERLOADED') throw new ReadEndedError(error.message, { cause: error });
      throw error;
    }
  }

  /** Closes the view, if it is still open. */
  close(): void {
    clearTimeout(this.#timer);
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    if (wasOpen) this.#close();
  }

  #requireOpen(): void {
    if (this.#state === 'ended') throw new ReadEndedError(`it took more than ${LIMITS.readViewMs} ms`);
  }
}
