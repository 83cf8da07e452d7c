import { hash } from 'node:crypto';
import { LIMITS } from '@rivulet/protocol';
import type { CheckedToken } from './token-check.js';

interface Kept {
  readonly token: CheckedToken;
  readonly chars: number;
}

/**
 * The tokens that were right lately, by their SHA-256, so that a client that sends its token with each request costs no signature. Nobody
 * can read a token back from it. The number of tokens and their length are bounded; the one that was used longest ago is dropped first.
 */
export class CheckedTokens {
  readonly #kept = new Map<string, Kept>();
  #generation: number | undefined;
  #chars = 0;

  get size(): number {
    return this.#kept.size;
  }

  /** Returns a token that is still right. `generation`: that of the keys now; tokens of other keys are dropped. */
  find(text: string, generation: number | undefined, nowMs: number): CheckedToken | undefined {
    if (generation !== this.#generation) this.clear();
    this.#generation = generation;
    if (this.#kept.size === 0) return undefined;
    const digest = digestOf(text);
    const kept = this.#kept.get(digest);
    if (kept === undefined) return undefined;
    this.#drop(digest, kept);
    if (kept.token.expiresAtMs <= nowMs) return undefined;
    this.#keep(digest, kept);
    return kept.token;
  }

  /** Keeps a token that was checked with the keys of a generation. */
  add(text: string, generation: number | undefined, token: CheckedToken): void {
    if (generation === undefined || generation !== this.#generation) return;
    const digest = digestOf(text);
    const before = this.#kept.get(digest);
    if (before !== undefined) this.#drop(digest, before);
    this.#keep(digest, { token, chars: text.length });
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= LIMITS.checkedTokens && this.#chars <= LIMITS.checkedTokenChars) break;
      this.#drop(oldest, kept);
    }
  }

  /** Drops all tokens. */
  clear(): void {
    this.#kept.clear();
    this.#chars = 0;
  }

  #keep(digest: string, kept: Kept): void {
    this.#kept.set(digest, kept);
    this.#chars += kept.chars;
  }

  #drop(digest: string, { chars }: Kept): void {
    this.#kept.delete(digest);
    this.#chars -= chars;
  }
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64');
}
