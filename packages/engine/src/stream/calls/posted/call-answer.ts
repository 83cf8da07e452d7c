import { type ErrorBody, type GroupPosition, RivuletError } from '@rivulet/protocol';
import type { Answer } from '../../reading/requests/answer.js';
import type { CallOutcome } from '../call-ledger.js';

type Positions = readonly (GroupPosition | undefined)[];

/** The status of each code of the engine. Any other code has 500. */
const STATUS: Readonly<Record<string, number>> = {
  deserialization_error: 400,
  INVALID_ARGUMENTS: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  HOST_NOT_ALLOWED: 403,
  ORIGIN_NOT_ALLOWED: 403,
  function_not_found: 404,
  OUTCOME_UNKNOWN: 409,
  MESSAGE_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  invocation_failed: 500,
  invocation_error: 500,
  RESULT_TOO_LARGE: 500,
  channel_send_failed: 503,
  OVERLOADED: 503,
  AUTH_UNDECIDED: 503,
  ENGINE_STOPPING: 503,
  STORE_UNAVAILABLE: 503,
  STORE_FULL: 503,
  TIMEOUT: 504,
};

/** Codes of the engine for a function that ran. Any other code of such a function is its own, with 422. */
const FAILED: ReadonlySet<string> = new Set(['invocation_failed', 'invocation_error', 'RESULT_TOO_LARGE']);

/** Returns the answer to a call that has an outcome. */
export function outcomeAnswer(outcome: CallOutcome, positions: Positions): Answer<number> {
  const shown = positions.length === 0 ? '' : `,"positions":${JSON.stringify(positions.map((position) => position ?? null))}`;
  if (outcome.kind === 'result') return { status: 200, body: Buffer.from(`{"result":${outcome.text ?? 'null'}${shown}}`), cache: 'none' };
  const { error, ran } = outcome;
  return { status: statusOf(error.code, ran), body: Buffer.from(`{"error":${errorText(error, ran)}${shown}}`), cache: 'none' };
}

/** Returns the answer to a request whose function was not called. */
export function refusalAnswer(error: Pick<ErrorBody, 'code' | 'message'>): Answer<number> {
  const answer = outcomeAnswer({ kind: 'error', error }, []);
  // A stopping engine, and a body that was not read, end the connection.
  return error.code === 'ENGINE_STOPPING' || error.code === 'MESSAGE_TOO_LARGE' ? { ...answer, closes: true } : answer;
}

/** Returns the answer to a request that failed in the engine; `undefined` when the error is not one of the engine. */
export function failedAnswer(error: unknown): Answer<number> | undefined {
  return error instanceof RivuletError ? refusalAnswer(error.toBody()) : undefined;
}

function statusOf(code: string, ran: true | undefined): number {
  if (ran) return FAILED.has(code) ? 500 : 422;
  return Object.hasOwn(STATUS, code) ? (STATUS[code] ?? 500) : 500;
}

function errorText({ code, message, error_id: errorId }: ErrorBody, ran: true | undefined): string {
  return JSON.stringify({ code, message, errorId, ran });
}
