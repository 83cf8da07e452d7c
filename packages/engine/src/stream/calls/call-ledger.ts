import type { ErrorBody, JsonText } from '@rivulet/protocol';

/**
 * The ledger remembers which calls were started and how they ended, so that a call with an idempotency key takes effect at most once.
 *
 * `begin` stores durably that the call was started, and only then the engine calls the function. A repeat of the call finds this entry,
 * also at another engine that uses the same store:
 *
 *     begin ──▶ run      ──▶ the engine calls the function ──▶ finish, release or abandon
 *           ──▶ done     ──▶ the caller gets the stored outcome
 *           ──▶ unknown  ──▶ the caller gets OUTCOME_UNKNOWN, and the function is not called
 *
 * A repeat of a call that still runs waits for it, at whichever engine it runs.
 */
export interface CallLedger {
  /**
   * Begins a call. Rejects with a `RivuletError`, for instance when the store is unavailable. Then the function is not called. `onWait` is
   * called when the call waits for an earlier sending that still runs.
   */
  begin(call: LedgerCall, onWait?: () => void): Promise<LedgerEntry>;
  /**
   * Reads the outcome of a call that has ended. Resolves with `undefined` when it runs, when nobody knows its outcome, and when the ledger
   * does not know the call. Stores nothing.
   */
  findOutcome(call: CallName): Promise<CallOutcome | undefined>;
}

/** The identity, the function and the key name a call together. */
export interface CallName {
  /** `undefined`: callers without an identity share one scope. */
  readonly identity: string | undefined;
  /** Address of the caller, whose calls share a bound when it has no identity. `undefined`: unknown. */
  readonly address?: string | undefined;
  readonly functionId: string;
  readonly key: string;
}

/** A call with a key. */
export interface LedgerCall extends CallName {
  /** Milliseconds since the client sent the call for the first time. `undefined` if this is the first time. */
  readonly repeatedAfterMs: number | undefined;
  /** Whether the function may run twice. A repeat whose outcome is unknown then runs again. */
  readonly idempotent: boolean;
}

/** The end of a call, as its caller gets it. */
export type CallOutcome =
  | { readonly kind: 'result'; readonly text: JsonText | undefined }
  /** `ran`: the function ran, so the code does not say that it did not. */
  | { readonly kind: 'error'; readonly error: ErrorBody; readonly ran?: true };

export type LedgerEntry =
  | { readonly kind: 'run'; readonly run: LedgerRun }
  | { readonly kind: 'done'; readonly outcome: CallOutcome }
  /** `message`: the reason why nobody knows the outcome. */
  | { readonly kind: 'unknown'; readonly message: string };

/** A call that may run now. Its engine calls exactly one of these methods, once. */
export interface LedgerRun {
  /** Stores the outcome. Repeats get it. */
  finish(outcome: CallOutcome): Promise<void>;
  /** Forgets the call, because the function did not run. A repeat runs. */
  release(): Promise<void>;
  /** Ends the call without an outcome: the function may have taken effect, or not. A repeat gets `unknown`. */
  abandon(): Promise<void>;
}
