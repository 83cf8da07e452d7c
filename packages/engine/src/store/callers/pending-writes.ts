import { LIMITS, RivuletError } from '@rivulet/protocol';
import { ByteBudget } from '../../structures/byte-budget.js';
import { PairMap } from '../../structures/pair-map.js';
import type { GroupRef } from '../store.js';

/** What a group waits for. */
interface Pending {
  writes: number;
  /** Resolves when all writes that have begun until now have ended. */
  all: Promise<void>;
}

/**
 * Writes that a store, or a worker that serves a stream, has not answered; their text is bounded.
 *
 * Lets a read wait for the writes that were asked for before it: a worker that writes and then reads sees what it wrote, and nobody
 * sees what is not committed (spec WP §1.8). Writes of a group may end in any order: one is refused at once while those before it wait
 * for the disk, or for the worker that serves the stream.
 */
export class PendingWrites {
  readonly #groups = new PairMap<Pending>();
  readonly #room = new ByteBudget(LIMITS.pendingWriteChars);

  /** Begins a write of `chars` UTF-16 code units. Rejects with OVERLOADED, and begins nothing, when those under way leave no room for it. */
  begin<T>(ref: GroupRef, chars: number, begin: () => Promise<T>): Promise<T> {
    if (!this.#room.take(chars)) {
      const most = `more than ${LIMITS.pendingWriteChars} characters wait to be written`;
      return Promise.reject(new RivuletError('OVERLOADED', `${most}; wait for the answers of earlier writes`));
    }
    const write = begin();
    this.#began(ref, chars, write);
    return write;
  }

  #began(ref: GroupRef, chars: number, write: Promise<unknown>): void {
    const before = this.#groups.get(ref.stream, ref.group);
    const pending = before ?? { writes: 0, all: Promise.resolve() };
    if (before === undefined) this.#groups.set(ref.stream, ref.group, pending);
    pending.writes++;
    const end = () => {
      this.#room.give(chars);
      pending.writes--;
      if (pending.writes === 0) this.#groups.delete(ref.stream, ref.group);
    };
    // A write that failed concerns its own caller.
    const ended = write.then(end, end);
    pending.all = before === undefined ? ended : before.all.then(() => ended);
  }

  /** Whether a write of this group is on its way. */
  has(ref: GroupRef): boolean {
    return this.#groups.get(ref.stream, ref.group) !== undefined;
  }

  /** Resolves when the writes of the group that have begun until now have ended. Never rejects. */
  async settled(ref: GroupRef): Promise<void> {
    await this.#groups.get(ref.stream, ref.group)?.all;
  }

  /** The same for all groups of a stream; those of others are none of its business. */
  async streamSettled(stream: string): Promise<void> {
    await allOf(this.#groups.valuesOf(stream));
  }

  async allSettled(): Promise<void> {
    if (this.#groups.size > 0) await allOf(this.#groups.values());
  }
}

async function allOf(groups: Iterable<Pending>): Promise<void> {
  await Promise.all(Array.from(groups, ({ all }) => all));
}
