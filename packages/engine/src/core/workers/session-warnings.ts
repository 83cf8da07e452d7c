import type { LogFields, Logger } from '../../logging/logger.js';

/** Causes that one session remembers. Some causes come from the peer, so their number is bounded. */
const MOST_CAUSES = 100;

/**
 * Writes the warnings of one session so that its peer can't fill the log. The first line of each cause is a warning. Further lines have
 * the level debug.
 */
export class SessionWarnings {
  readonly #logger: Logger;
  readonly #workerId: string;
  /** Events and causes that were warned of. */
  readonly #warned = new Set<string>();

  constructor(logger: Logger, workerId: string) {
    this.#logger = logger;
    this.#workerId = workerId;
  }

  /** Writes a line. `cause` tells occurrences of one event apart. */
  add(event: string, cause: string, fields: LogFields): void {
    const key = `${event} ${cause}`;
    const isRepeated = this.#warned.has(key) || this.#warned.size >= MOST_CAUSES;
    if (!isRepeated) this.#warned.add(key);
    this.#logger[isRepeated ? 'debug' : 'warn'](event, { worker: this.#workerId, ...fields });
  }
}
