export interface BackoffOptions {
  /** The bound of the wait before the first retry, in milliseconds. */
  readonly initialDelayMs: number;
  /**
   * The bound of the first wait only, in milliseconds. The bounds of the other waits still follow from `initialDelayMs`.
   * @default `initialDelayMs`
   */
  readonly firstDelayMs?: number;
  /** The bound of every wait, in milliseconds. */
  readonly maxDelayMs: number;
  /**
   * The bound of the wait after a close with this reason, in milliseconds.
   * @default `maxDelayMs`
   */
  readonly maxDelayMsAfter?: Readonly<Record<string, number>>;
  /** The factor between the bounds of two waits. */
  readonly multiplier: number;
}

export const DEFAULT_BACKOFF: BackoffOptions = { initialDelayMs: 1_000, maxDelayMs: 30_000, multiplier: 2 };

/**
 * Returns the milliseconds to wait before the retry `attempt`, which counts from 0. `random` is in [0, 1). The wait has full jitter: it is
 * anywhere between 0 and the bound of the attempt. So clients that lost one server at the same moment do not come back at the same moment.
 * `reason` is that of the last close.
 */
export function backoffDelay(attempt: number, random: number, options: BackoffOptions, reason = ''): number {
  const { initialDelayMs, firstDelayMs = initialDelayMs, maxDelayMs, maxDelayMsAfter, multiplier } = options;
  const bound = Math.min(maxDelayMsAfter?.[reason] ?? maxDelayMs, attempt === 0 ? firstDelayMs : initialDelayMs * multiplier ** attempt);
  return Math.floor(random * bound);
}
