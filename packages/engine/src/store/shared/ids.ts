import { LIMITS, RivuletError } from '@rivulet/protocol';

/** Control characters U+0000–001F. A single character class takes linear time. */
const CONTROL = /[\u0000-\u001f]/;

/** Returns whether a text may name a stream, group or item: at most 256 UTF-8 bytes, well-formed, no control characters (spec ST §2). */
export function isValidId(id: string): boolean {
  // A UTF-16 unit takes 1 to 3 bytes, so the bytes are counted only when the length leaves a doubt.
  if (id.length > LIMITS.idBytes) return false;
  if (id.length * 3 > LIMITS.idBytes && Buffer.byteLength(id) > LIMITS.idBytes) return false;
  return !CONTROL.test(id) && isWellFormed(id);
}

/**
 * The reserved stream of the ledger of calls (stream/calls/ledger). It has idempotency keys only, and no items, so no list shows it. Nobody
 * else may name it, because a write could take the key of a call.
 */
export const LEDGER_STREAM = 'rivulet::calls';

/** Returns whether functions and clients may name this stream. */
export function isStreamName(name: string): boolean {
  return name !== LEDGER_STREAM && isValidId(name);
}

/** Throws INVALID_ID for a text that `isStreamName` rejects. */
export function requireStreamName(name: string, field: string): void {
  if (name === LEDGER_STREAM)
    throw new RivuletError('INVALID_ID', `${field} must not be ${LEDGER_STREAM}, which the engine keeps for itself`);
  requireId(name, field);
}

/** Throws INVALID_ID for a text that `isValidId` rejects. */
export function requireId(id: string, field: string): void {
  if (isValidId(id)) return;
  throw new RivuletError(
    'INVALID_ID',
    `${field} must be at most ${LIMITS.idBytes} UTF-8 bytes of well-formed text without control characters`,
  );
}

function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
