import type { GroupRef } from '../store.js';

const BUCKET_MS = 1_000;

export interface Deadline extends GroupRef {
  readonly item: string;
  /** Milliseconds of the clock that the caller uses. */
  readonly at: number;
  /** The age of the item decides, and not a time to live of its own. */
  readonly isByAge: boolean;
}

/** Items by the time at which they expire, in buckets of a second. Adding and removing take constant time. */
export class Deadlines {
  readonly #buckets = new Map<number, Set<Deadline>>();
  /** The first bucket that may have an item. */
  #first = Number.POSITIVE_INFINITY;

  add(deadline: Deadline): void {
    const bucket = Math.floor(deadline.at / BUCKET_MS);
    const others = this.#buckets.get(bucket);
    if (others === undefined) this.#buckets.set(bucket, new Set([deadline]));
    else others.add(deadline);
    this.#first = Math.min(this.#first, bucket);
  }

  remove(deadline: Deadline): void {
    const bucket = Math.floor(deadline.at / BUCKET_MS);
    const others = this.#buckets.get(bucket);
    others?.delete(deadline);
    if (others?.size === 0) this.#buckets.delete(bucket);
  }

  /** Returns up to `limit` items that expire at `now` or before, earliest first. They stay here until `remove`. */
  due(now: number, limit: number): readonly Deadline[] {
    const last = Math.floor(now / BUCKET_MS);
    const due: Deadline[] = [];
    if (this.#buckets.size === 0) this.#first = Number.POSITIVE_INFINITY;
    while (this.#first <= last && due.length < limit) {
      const found = [...(this.#buckets.get(this.#first) ?? [])].filter(({ at }) => at <= now);
      due.push(...found.sort((a, b) => a.at - b.at));
      if (this.#first === last) break;
      this.#first++;
    }
    // The found items stay, so the next search begins at their bucket.
    if (due[0] !== undefined) this.#first = Math.min(this.#first, Math.floor(due[0].at / BUCKET_MS));
    return due.slice(0, limit);
  }
}
