import type { CopiedGroup } from './store-copy.js';

/**
 * Tracks the positions of one store over many crashes. A value keeps its offset, the offsets of an item only grow, and the epoch stays the
 * same.
 */
export class KeptPositions {
  #epoch: string | undefined;
  readonly #items = new Map<string, { readonly data: string; readonly changed: number }>();

  /** Returns descriptions of what is wrong with a group; an empty list if nothing is. */
  check(group: string, { epoch, items }: CopiedGroup): string[] {
    const problems: string[] = [];
    this.#epoch ??= epoch;
    if (epoch !== this.#epoch) problems.push(`${group} is of epoch ${epoch}, it was of ${this.#epoch}`);
    for (const [item, now] of items) {
      const key = `${group}/${item}`;
      const before = this.#items.get(key);
      this.#items.set(key, now);
      if (before === undefined) continue;
      const moved = before.data === now.data ? before.changed !== now.changed : before.changed >= now.changed;
      if (moved) problems.push(`${key} went from offset ${before.changed} to ${now.changed}`);
    }
    return problems;
  }
}
