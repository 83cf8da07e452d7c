import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';

/** Connections whose keys are remembered; of more, the oldest is forgotten. */
const CONNECTIONS = 1_024;

/** Logs each unknown key that the engine ignores once for each worker connection, and at most `LIMITS.unknownKeysLogged` of them. */
export class IgnoredKeys {
  readonly #logger: Logger;
  readonly #seen = new Map<string, Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `of`: the function or trigger type that got the key. `worker`: its id; `undefined`: the engine itself. */
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
