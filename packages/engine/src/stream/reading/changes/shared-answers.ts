import type { Answer } from '../requests/answer.js';

interface Shared {
  readonly sources: readonly Buffer[];
  readonly key: string;
  readonly answer: Answer;
}

/**
 * Answers that several readers of one flush, or of one `sync`, share. They are kept until the end of the turn, so that the log of a group
 * is not kept twice.
 */
export class SharedAnswers {
  readonly #answers = new Map<Buffer | undefined, Shared[]>();

  /** Returns the answer that is made of these buffers. `key`: what else the answer depends on. */
  of(sources: readonly Buffer[], key: string, build: () => Answer): Answer {
    if (this.#answers.size === 0) setImmediate(() => this.#answers.clear());
    const [first] = sources;
    const similar = this.#answers.get(first) ?? [];
    this.#answers.set(first, similar);
    const same = similar.find((shared) => shared.key === key && areSame(shared.sources, sources));
    if (same !== undefined) return same.answer;
    const answer = build();
    similar.push({ sources, key, answer });
    return answer;
  }
}

function areSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((buffer, index) => buffer === others[index]);
}
