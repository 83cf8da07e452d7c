import { requireCapacity, requireSame } from '../shared/write-plan.js';
import type { GroupRef, Once } from '../store.js';

interface Remembered {
  readonly until: number;
  readonly retentionMs: number;
  readonly fingerprint: string;
  readonly answer: string;
  readonly bytes: number;
}

/** The idempotency keys with their remembered answers. */
export class MemoryKeys {
  /** The keys of each retention, in the order of their use, which is also the order in which they end. */
  readonly #retentions = new Map<number, Set<string>>();
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
  prepare(ref: GroupRef, { retentionMs, fingerprint, key }: Once, answer: string, now: number): { remember(): void } {
    const name = nameOf(ref, { key });
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(answer);
    requireCapacity(this.#keys.size, this.#bytes, bytes);
    return {
      remember: () => {
        this.#forget(name);
        this.#keys.set(name, { until: now + retentionMs, retentionMs, fingerprint, answer, bytes });
        this.#retentions.set(retentionMs, (this.#retentions.get(retentionMs) ?? new Set()).add(name));
        this.#bytes += bytes;
      },
    };
  }

  /** Removes keys whose retention has ended. */
  sweep(now: number): void {
    for (const names of this.#retentions.values()) {
      for (const name of names) {
        if ((this.#keys.get(name)?.until ?? 0) > now) break;
        this.#forget(name);
      }
    }
  }

  #forget(name: string): void {
    const known = this.#keys.get(name);
    if (known === undefined) return;
    this.#keys.delete(name);
    this.#bytes -= known.bytes;
    const names = this.#retentions.get(known.retentionMs);
    names?.delete(name);
    if (names?.size === 0) this.#retentions.delete(known.retentionMs);
  }
}

/** Ids and keys have no control characters, so U+0000 separates them without doubt. */
function nameOf({ stream, group }: GroupRef, { key }: Pick<Once, 'key'>): string {
  return `${stream}\u0000${group}\u0000${key}`;
}
