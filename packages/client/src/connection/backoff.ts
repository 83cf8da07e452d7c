export interface BackoffOptions {
  /** Milliseconds: the wait before the first retry is below this. */
  readonly initialDelayMs: number;
  /** The same in place of `initialDelayMs` for the very first one; the others follow as if there were none. */
  readonly firstDelayMs?: number;
  /** Milliseconds: no wait is longer. */
  readonly maxDelayMs: number;
  readonly multiplier: number;
}

export const DEFAULT_BACKOFF: BackoffOptions = { initialDelayMs: 1_000, maxDelayMs: 30_000, multiplier: 2 };

/**
 * Milliseconds to wait before retry `attempt` (from 0). Full jitter, anywhere between nothing and the bound of that attempt, so that
 * clients which lost one server at the same moment do not come back at the same moment. `random` is in [0, 1).
 */
export function backoffDelay(attempt: number, random: number, options: BackoffOptions): number {
  const { initialDelayMs, firstDelayMs = initialDelayMs, maxDelayMs, multiplier } = options;
  const bound = Math.min(maxDelayMs, attempt === 0 ? firstDelayMs : initialDelayMs * multiplier ** attempt);
  return Math.floor(random * bound);
}
