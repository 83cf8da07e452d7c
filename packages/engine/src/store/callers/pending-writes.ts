import { LIMITS, RivuletError } from '@rivulet/protocol';
import { ByteBudget } from '../../structures/byte-budget.js';
import { PairMap } from '../../structures/pair-map.js';
import type { GroupRef } from '../store.js';

/** The writes of one group that have not ended. */
interface Pending {
  writes: number;
  /** Number of the next write. */
  next: number;
  readonly waiting: Waiting[];
}

/** A read that waits for the writes before it. */
interface Waiting {
  /** The writes with a lower number began before the read. */
  readonly before: number;
  /** How many of them have not ended. */
  left: number;
  readonly resolve: () => void;
}

/**
 * The writes that a store, or a worker that serves a stream, has not answered yet. Their text is bounded by `LIMITS.pendingWriteChars`.
 *
 * A read waits here for the writes that were requested before it. So a worker that writes and then reads sees its own write, and nobody
 * sees a write that is not committed (spec WP §1.8). The writes of a group may end in any order, because one may fail at once while
 * earlier ones wait for the disk.
 */
export class PendingWrites {
  readonly #groups = new PairMap<Pending>();
  readonly #room = new ByteBudget(LIMITS.pendingWriteChars);

  /**
   * Begins a write of `chars` UTF-16 code units. Rejects with OVERLOADED, and begins nothing, when the pending text would exceed its bound.
   */
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
    let pending = this.#groups.get(ref.stream, ref.group);
    if (pending === undefined) {
      pending = { writes: 0, next: 0, waiting: [] };
      this.#groups.set(ref.stream, ref.group, pending);
    }
    const of = pending;
    const number = of.next++;
    of.writes++;
    const end = () => {
      this.#room.give(chars);
      of.writes--;
      if (of.writes === 0) this.#groups.delete(ref.stream, ref.group);
      if (of.waiting.length > 0) notify(of.waiting, number);
    };
    // The caller of a write handles its failure.
    write.then(end, end);
  }

  /** Returns whether a write of this group is pending. */
  has(ref: GroupRef): boolean {
    return this.#groups.get(ref.stream, ref.group) !== undefined;
  }

  /** Resolves when the writes of the group that began before this call have ended. Never rejects. */
  async settled(ref: GroupRef): Promise<void> {
    const pending = this.#groups.get(ref.stream, ref.group);
    if (pending !== undefined) await ended(pending);
  }

  /** Resolves when such writes of all groups of a stream have ended. */
  async streamSettled(stream: string): Promise<void> {
    await allOf(this.#groups.valuesOf(stream));
  }

  /** Resolves when such writes of all groups have ended. */
  async allSettled(): Promise<void> {
    if (this.#groups.size > 0) await allOf(this.#groups.values());
  }
}

async function allOf(groups: Iterable<Pending>): Promise<void> {
  await Promise.all(Array.from(groups, ended));
}

/** Resolves when the writes that are pending now have ended. */
function ended({ next, writes, waiting }: Pending): Promise<void> {
  return new Promise((resolve) => waiting.push({ before: next, left: writes, resolve }));
}

/** Tells the reads that a write has ended. */
function notify(waiting: Waiting[], number: number): void {
  let kept = 0;
  for (const each of waiting) {
    if (number < each.before) each.left--;
    if (each.left === 0) each.resolve();
    else waiting[kept++] = each;
  }
  waiting.length = kept;
}
