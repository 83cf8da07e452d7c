import { reachesEngineNames } from '../../../config/engine-prefixes.js';
import { Wildcard } from '../../../structures/wildcard.js';

/** A pattern of a rule or of an auth answer that exposes functions to guests. */
export class ExposedPattern {
  /** `undefined` when the pattern is one id. */
  readonly #wildcard: Wildcard | undefined;
  readonly #pattern: string;
  readonly #reachesEngine: boolean;

  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#wildcard = pattern.includes('*') ? new Wildcard(pattern) : undefined;
    this.#reachesEngine = reachesEngineNames(pattern);
  }

  /** Returns whether the pattern is exactly this id, without a wildcard. */
  names(functionId: string): boolean {
    return this.#wildcard === undefined && this.#pattern === functionId;
  }

  /**
   * Returns whether the pattern exposes an id. `engineName`: the id belongs to the engine. Only a pattern that begins with a prefix of the
   * engine exposes such ids.
   */
  exposes(functionId: string, engineName: boolean): boolean {
    if (this.#wildcard === undefined) return this.#pattern === functionId;
    return (this.#reachesEngine || !engineName) && this.#wildcard.matches(functionId);
  }
}
