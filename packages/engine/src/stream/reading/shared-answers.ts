import type { Answer } from './answer.js';

/**
 * Answers that several readers of one flush share. They are kept until the end of the turn, so that the log of a group is not kept twice.
 */
export class SharedAnswers {
  #answers = new Map<Buffer, Map<string, Answer>>();

  /** Returns the answer that is made of this buffer. `key`: what else the answer depends on. */
  of(source: Buffer, key: string, build: () => Answer): Answer {
    if (this.#answers.size === 0) setImmediate(() => this.#answers.clear());
    let same = this.#answers.get(source);
    if (same === undefined) {
      same = new Map();
      this.#answers.set(source, same);
    }
    const answer = same.get(key) ?? build();
    same.set(key, answer);
    return answer;
  }
}
