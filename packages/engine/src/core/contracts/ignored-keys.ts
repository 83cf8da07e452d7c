import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';

/** Most connections whose keys are remembered. A new one replaces the oldest. */
const CONNECTIONS = 1_024;

/**
 * Logs the unknown keys that the engine ignores. Each key is logged once for a worker connection, at most `LIMITS.unknownKeysLogged` of
 * them.
 */
export class IgnoredKeys {
  readonly #logger: Logger;
  readonly #seen = new Map<string, Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Forgets the keys of a connection that has ended. */
  forget(worker: string): void {
    this.#seen.delete(worker);
  }

  /**
   * Logs a key unless it was logged before. `of`: function or trigger type that got the key. `worker`: id of the sender; `undefined` for
   * the engine itself.
   */
  add(worker: string | undefined, of: string, key: string): void {
    const connection = worker ?? '';
    const seen = this.#seen.get(connection) ?? new Set();
    const name = JSON.stringify([of, key]);
    if (seen.has(name) || seen.size >= LIMITS.unknownKeysLogged) return;
    seen.add(name);
    this.#seen.set(connection, seen);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > CONNECTIONS && oldest !== undefined) this.#seen.delete(oldest);
    this.#logger.warn('unknown_key_ignored', { worker, of, key });
  }
}
