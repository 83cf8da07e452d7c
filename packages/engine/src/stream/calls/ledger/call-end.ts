import { type ErrorBody, isJsonObject, parseJson, stringField } from '@rivulet/protocol';
import type { CallOutcome } from '../call-ledger.js';

/**
 * How a call ended. `lost`: nobody knows its outcome, or the outcome was too large to keep. `released`: the function did not run, so a
 * repeat runs.
 */
export type CallEnd =
  | { readonly kind: 'ended'; readonly outcome: CallOutcome }
  | { readonly kind: 'lost' | 'released' }
  | { readonly kind: 'unknown'; readonly message: string };

/** An end of a call as the store keeps it. */
export type StoredEnd = Exclude<CallEnd, { readonly kind: 'unknown' }>;

/** Writes an end as text. The first character says what follows: a result, no result, an error, or nothing. */
export function encodeEnd(end: StoredEnd): string {
  if (end.kind !== 'ended') return end.kind === 'lost' ? 'x' : 'f';
  const { outcome } = end;
  if (outcome.kind === 'error') return `e${JSON.stringify(outcome.error)}`;
  return outcome.text === undefined ? 'n' : `r${outcome.text}`;
}

/** Reads an end. A damaged one counts as lost. */
export function decodeEnd(text: string): StoredEnd {
  const rest = text.slice(1);
  switch (text.slice(0, 1)) {
    case 'r':
      return { kind: 'ended', outcome: { kind: 'result', text: rest } };
    case 'n':
      return { kind: 'ended', outcome: { kind: 'result', text: undefined } };
    case 'e': {
      const error = readError(parseJson(rest));
      return error === undefined ? { kind: 'lost' } : { kind: 'ended', outcome: { kind: 'error', error } };
    }
    case 'f':
      return { kind: 'released' };
    default:
      return { kind: 'lost' };
  }
}

function readError(value: unknown): ErrorBody | undefined {
  if (!isJsonObject(value)) return undefined;
  const code = stringField(value, 'code');
  const message = stringField(value, 'message');
  const errorId = stringField(value, 'error_id');
  if (code === undefined || message === undefined) return undefined;
  return { code, message, ...(errorId === undefined ? {} : { error_id: errorId }) };
}
