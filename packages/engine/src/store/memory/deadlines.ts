import type { GroupRef } from '../store.js';

const BUCKET_MS = 1_000;

export interface Deadline extends GroupRef {
  readonly item: string;
  /** In milliseconds; of which clock is the caller's business. */
  readonly at: number;
}

/** Items by when they go, in buckets of a second: adding and removing cost the same however many there are. */
export class Deadlines {
  readonly #buckets = new Map<number, Set<Deadline>>();
  /** Buckets before this one are empty. */
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

  /** Those whose time has come, earliest first, at most `limit`. They stay until they are removed. */
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
    // What was found is still there.
    if (due[0] !== undefined) this.#first = Math.min(this.#first, Math.floor(due[0].at / BUCKET_MS));
    return due.slice(0, limit);
  }
}
