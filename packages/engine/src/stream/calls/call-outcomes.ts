import type { ErrorBody, ErrorCode } from '@rivulet/protocol';
import type { CallOutcome } from './call-ledger.js';

/** Codes of the engine that mean that the function did not run. A repeat of such a call runs. */
export const NOT_RUN: ReadonlySet<string> = new Set<ErrorCode>([
  'FORBIDDEN',
  'OVERLOADED',
  'MESSAGE_TOO_LARGE',
  'channel_send_failed',
  'function_not_found',
  'function_not_invokable',
]);

/** Returns the outcome of a function that ran. Its code may be one with which the engine says that a function did not run. */
export function afterRun(outcome: CallOutcome): CallOutcome {
  return outcome.kind === 'error' ? { ...outcome, ran: true } : outcome;
}

/** Returns the answer for a function that the caller may not call, whether or not it exists. */
export function forbidden(functionId: string): ErrorBody {
  const message = `function ${functionId} is not allowed for this session; add it to expose_functions of rivulet-stream`;
  return { code: 'FORBIDDEN', message };
}

export function failed(code: ErrorCode, message: string): CallOutcome {
  return { kind: 'error', error: { code, message } };
}

/** Returns the outcome of a call whose time ended while the store had not recorded it, or an earlier one of its session. */
export function notStarted(functionId: string): CallOutcome {
  return failed('STORE_UNAVAILABLE', `the store did not answer in time, so ${functionId} was not called; call again later`);
}

/** Returns whether a function may run twice for one call, by its metadata. */
export function isIdempotent(metadata: unknown): boolean {
  return typeof metadata === 'object' && metadata !== null && (metadata as { readonly idempotent?: unknown }).idempotent === true;
}
