import { PairMap } from '../structures/pair-map.js';
import type { GroupRef } from './store.js';

/**
 * Lets a read wait for the writes that were asked for before it: a worker that writes and then reads sees what it wrote, and nobody
 * sees what is not committed (spec WP §1.8). A store commits in order, so the last write of a group stands for all before it.
 */
export class PendingWrites {
  readonly #last = new PairMap<Promise<unknown>>();

  began(ref: GroupRef, write: Promise<unknown>): void {
    this.#last.set(ref.stream, ref.group, write);
    const ended = () => {
      if (this.#last.get(ref.stream, ref.group) === write) this.#last.delete(ref.stream, ref.group);
    };
    write.then(ended, ended);
  }

  /** Whether a write of this group is on its way. */
  has(ref: GroupRef): boolean {
    return this.#last.get(ref.stream, ref.group) !== undefined;
  }

  /** Never rejects: a write that failed concerns its own caller. */
  async settled(ref: GroupRef): Promise<void> {
    await this.#last.get(ref.stream, ref.group)?.catch(() => {});
  }

  /** The same for all groups of a stream; those of others are none of its business. */
  async streamSettled(stream: string): Promise<void> {
    await Promise.allSettled(this.#last.valuesOf(stream));
  }

  async allSettled(): Promise<void> {
    if (this.#last.size > 0) await Promise.allSettled(this.#last.values());
  }
}
