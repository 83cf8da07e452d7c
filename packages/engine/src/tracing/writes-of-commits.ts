import type { CommitName, Span } from '../core/fabric/tracing.js';

/** A commit of this turn whose write fires triggers. */
interface Wanted {
  span: Span | undefined;
}

/**
 * Finds the write that made a commit. A store reports a commit first and answers its write later in the same turn of the event loop. Only
 * then is the position of the write known. So a search lasts until the turn ends, and nothing is kept for commits that nobody looks for.
 *
 * A commit of another engine, or of a store that answers later, has no span.
 */
export class WritesOfCommits {
  readonly #wanted = new Map<string, Wanted>();

  /** Resolves in the next turn. */
  find(commit: CommitName): Promise<Span | undefined> {
    const key = keyOf(commit);
    const wanted = this.#wanted.get(key) ?? { span: undefined };
    this.#wanted.set(key, wanted);
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#wanted.delete(key);
        resolve(wanted.span);
      });
    });
  }

  note(commit: CommitName, span: Span): void {
    if (this.#wanted.size === 0) return;
    const wanted = this.#wanted.get(keyOf(commit));
    if (wanted !== undefined) wanted.span = span;
  }
}

function keyOf({ stream, group, position }: CommitName): string {
  return JSON.stringify([stream, group, position.epoch, position.offset]);
}
