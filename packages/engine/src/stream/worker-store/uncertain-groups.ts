import type { GroupRef } from '../../store/store.js';
import { PairMap } from '../../structures/pair-map.js';

/** A worker that is slow with one write is so with many: their groups are told together. */
const GATHER_MS = 100;

/** Groups of which nobody knows whether their worker has stored a write: what is shown of them may not be what it has. */
export class UncertainGroups {
  readonly #groups = new PairMap<GroupRef>();
  #onUncertain: (ref: GroupRef) => void = () => {};

  /** `listener` runs once for each group, at most 100 ms after a doubt of it came up. It must not throw. */
  onUncertain(listener: (ref: GroupRef) => void): void {
    this.#onUncertain = listener;
  }

  add({ stream, group }: GroupRef): void {
    if (this.#groups.size === 0) setTimeout(() => this.#tell(), GATHER_MS).unref();
    this.#groups.set(stream, group, { stream, group });
  }

  #tell(): void {
    const groups = [...this.#groups.values()];
    for (const { stream, group } of groups) this.#groups.delete(stream, group);
    for (const ref of groups) this.#onUncertain(ref);
  }
}
