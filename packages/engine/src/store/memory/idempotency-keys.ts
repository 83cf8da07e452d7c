import { requireCapacity, requireSame } from '../shared/write-plan.js';
import type { GroupRef, Once } from '../store.js';

interface Remembered {
  readonly until: number;
  readonly fingerprint: string;
  readonly answer: string;
  readonly bytes: number;
}

/** The idempotency keys with their remembered answers, in the order of their use. */
export class MemoryKeys {
  readonly #keys = new Map<string, Remembered>();
  #bytes = 0;

  /** Returns the answer of the write that used the key; `undefined` when the key is free. Throws INVALID_ARGUMENTS for another write. */
  find(ref: GroupRef, once: Once, now: number): string | undefined {
    const known = this.#keys.get(nameOf(ref, once));
    if (known === undefined || known.until <= now) return undefined;
    requireSame(once, known.fingerprint);
    return known.answer;
  }

  /**
   * Checks that there is space for an answer, and throws OVERLOADED otherwise. Call `remember` of the result when the write took effect.
   */
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

  /** Removes keys whose retention has ended. It stops at the first other key, because all keys have the same retention. */
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

/** Ids and keys have no control characters, so U+0000 separates them without doubt. */
function nameOf({ stream, group }: GroupRef, { key }: Once): string {
  return `${stream}\u0000${group}\u0000${key}`;
}
