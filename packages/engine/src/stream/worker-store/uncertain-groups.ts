import type { GroupRef } from '../../store/store.js';
import { PairMap } from '../../structures/pair-map.js';

/** Milliseconds in which groups are collected. A worker that is slow with one write is slow with many, so they are reported together. */
const GATHER_MS = 100;

/**
 * Groups with a write that their worker may have stored or not. Clients may show other values than the worker has.
 */
export class UncertainGroups {
  readonly #groups = new PairMap<GroupRef>();
  #onUncertain: (ref: GroupRef) => void = () => {};

  /** Sets the listener. It runs once for each group, at most `GATHER_MS` after `add`. It must not throw. */
  onUncertain(listener: (ref: GroupRef) => void): void {
    this.#onUncertain = listener;
  }

  /** Adds a group, because the outcome of a write to it is not known. */
  add({ stream, group }: GroupRef): void {
    if (this.#groups.size === 0) setTimeout(() => this.#report(), GATHER_MS).unref();
    this.#groups.set(stream, group, { stream, group });
  }

  #report(): void {
    const groups = [...this.#groups.values()];
    for (const { stream, group } of groups) this.#groups.delete(stream, group);
    for (const ref of groups) this.#onUncertain(ref);
  }
}
