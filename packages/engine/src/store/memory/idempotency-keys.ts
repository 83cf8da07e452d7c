import { requireCapacity, requireSame } from '../shared/write-plan.js';
import type { GroupRef, Once } from '../store.js';

interface Remembered {
  readonly until: number;
  readonly fingerprint: string;
  readonly answer: string;
  readonly bytes: number;
}

/** Idempotency keys with their answers, in the order in which they were used. */
export class MemoryKeys {
  readonly #keys = new Map<string, Remembered>();
  #bytes = 0;

  /** The answer of the write that used the key; `undefined` when it is free. Throws INVALID_ARGUMENTS when that was another write. */
  find(ref: GroupRef, once: Once, now: number): string | undefined {
    const known = this.#keys.get(nameOf(ref, once));
    if (known === undefined || known.until <= now) return undefined;
    requireSame(once, known.fingerprint);
    return known.answer;
  }

  /** Finds out that there is room for an answer; throws OVERLOADED when there is none. The rest is `remember`. */
  prepare(ref: GroupRef, once: Once, answer: string, now: number): { remember(): void } {
    const name = nameOf(ref, once);
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(answer);
    requireCapacity(this.#keys.size, this.#bytes, bytes);
    return {
      remember: () => {
        this.#forget(name);
        this.#keys.set(name, { until: now + once.retentionMs, fingerprint: once.fingerprint, answer, bytes });
        this.#bytes += bytes;
      },
    };
  }

  /** Forgets those whose time is over; while all are kept equally long, the first that is not ends it. */
  sweep(now: number): void {
    for (const [name, { until }] of this.#keys) {
      if (until > now) return;
      this.#forget(name);
    }
  }

  #forget(name: string): void {
    const known = this.#keys.get(name);
    if (known === undefined) return;
    this.#keys.delete(name);
    this.#bytes -= known.bytes;
  }
}

/** Neither ids nor keys hold control characters. */
function nameOf({ stream, group }: GroupRef, { key }: Once): string {
  return `${stream}\u0000${group}\u0000${key}`;
}
